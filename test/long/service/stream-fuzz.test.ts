import { request } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { PLATFORM_NAMESPACE } from '@delos/core';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { hostileFrame } from '../../support/edge/hostile-requests.ts';
import { kubectl, testPlatform, token } from '../../support/instance.ts';
import { runSeed } from '../../support/random.ts';
import { type Api, api, IMAGE } from '../../support/service/api.ts';

/*
 * Frames that no client sends, into each WebSocket of a job that runs: through the gateway, the control API, the agent and the kubelet.
 * Handshakes and the agents' own WebSockets are attacked in test/long/service/edge-fuzz.test.ts.
 */

const CONNECTIONS = Number(process.env.DELOS_TEST_FUZZ_CONNECTIONS ?? 1_000);
const TOGETHER = 20;
/** How long a connection is left to what it was sent. */
const PATIENCE_MS = 200;
const seed = runSeed();

let platform: Api;
let origin: URL;
let bearer: string;
let job: string;
beforeAll(async () => {
  origin = new URL((await testPlatform()).origin);
  [platform, bearer] = [await api('ann'), await token('ann', '6h')];
  const script = 'while read line; do echo got $line; done';
  job = (await platform.create({ image: IMAGE, command: `sh -c "${script}; sleep 3000"` })).id;
  await platform.running(job);
});

/** Opens a WebSocket and hands out its connection, on which nothing is a frame yet. */
function opened(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const sent = request({
      ...{ host: origin.hostname, port: origin.port, path: `/api/v1/jobs/${job}/${path}`, agent: false },
      headers: {
        authorization: `Bearer ${bearer}`,
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-version': '13',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      },
    });
    sent.once('upgrade', (_answer, socket) => resolve(socket));
    sent.once('response', (answer) => {
      answer.resume();
      reject(new Error(`${path}: ${answer.statusCode} ${String(answer.headers['x-error'] ?? '')}`));
    });
    sent.once('error', reject);
    sent.end();
  });
}

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string() }),
      status: z.object({ containerStatuses: z.array(z.object({ restartCount: z.number() })).default([]) }),
    }),
  ),
});

async function restarts(): Promise<readonly (readonly [string, number])[]> {
  const text = await kubectl(['get', 'pods', '-n', PLATFORM_NAMESPACE, '-o', 'json']);
  return pods
    .parse(JSON.parse(text))
    .items.map(({ metadata, status }) => [
      metadata.name,
      status.containerStatuses.reduce((sum, { restartCount }) => sum + restartCount, 0),
    ]);
}

test.each([
  'log_ws',
  'top',
  'attach?stdin=1&stdout=1&stderr=1&tty=0',
  'exec?cmd=cat&stdin=1&stdout=1&stderr=1&tty=0',
  'exec?cmd=cat&stdin=1&stdout=1&stderr=0&tty=1',
  'port_forward/9000',
])(`no frames into %s end a service, in ${CONNECTIONS} connections of seed ${seed}`, async (path) => {
  const before = await restarts();
  const all = fc.sample(fc.array(fc.oneof(hostileFrame, channelFrame), { minLength: 1, maxLength: 5 }), {
    numRuns: CONNECTIONS,
    seed,
  });
  let open = 0;
  for (let start = 0; start < all.length; start += TOGETHER) {
    await Promise.all(
      all.slice(start, start + TOGETHER).map(async (frames) => {
        const socket = await opened(path).catch((error: unknown) => {
          // So many at once may be too many; anything else is a fault.
          if (!/: (429|503) /.test(String(error))) throw error;
        });
        if (socket === undefined) return sleep(PATIENCE_MS);
        open += 1;
        socket.on('error', () => socket.destroy());
        socket.resume();
        for (const frame of frames) socket.write(frame);
        await sleep(PATIENCE_MS);
        socket.destroy();
      }),
    );
  }
  expect(open).toBeGreaterThan(CONNECTIONS / 4);
  expect(await restarts()).toEqual(before);
  expect(await platform.job(job)).toMatchObject({ status: 'running' });
  const socket = await opened('log_ws');
  socket.destroy();
});

/** As the client's own: a channel, then what is for it; sizes of a terminal among them. */
const channelFrame = fc
  .tuple(
    fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 255),
    fc.oneof(
      fc.constantFrom(
        '{"width":0,"height":0}',
        '{"width":99999999999,"height":-1}',
        '{"Width":80}',
        '[',
        '',
        '{"exit_code":"x"}',
      ),
      fc.string({ unit: 'binary', maxLength: 100 }),
    ),
  )
  .map(([channel, text]) => {
    const payload = Buffer.concat([Buffer.from([channel]), Buffer.from(text, 'latin1')]).subarray(0, 125);
    return Buffer.concat([Buffer.from([0x82, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
  });
