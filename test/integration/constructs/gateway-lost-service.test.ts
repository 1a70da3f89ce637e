import { setTimeout as sleep } from 'node:timers/promises';
import { MAX_BODY_BYTES } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { GATEWAY_LIMITS } from '../../../constructs/src/services/gateway/caddyfile.ts';
import { type OtherHost, otherHost } from '../../support/cluster/outside-host.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { until } from '../../support/until.ts';

/*
 * The real Caddy with the gateway's own Caddyfile, before a service on a host of its own, which is lost without a word:
 * nothing of it comes any more, and nothing refuses what is sent to it. Only the time that it is waited for is shorter.
 */

const BODY = 32 * 1024 * 1024;
const CHANGES = {
  [`lost_after ${GATEWAY_LIMITS.lost}`]: 'lost_after 2s',
  'lb_try_duration 15s': 'lb_try_duration 3s',
  [`import limited ${MAX_BODY_BYTES}`]: `import limited ${BODY}`,
};
/** Much longer than it should take, and much shorter than where nobody notices: two minutes. */
const NOTICED_MS = 40_000;
const PORT = 8080;
/** Counts, answers at once or late, and takes a body only after a while. */
const SERVICE = `const seen = {};
require('node:http').createServer((asked, answer) => {
  seen[asked.url] = (seen[asked.url] ?? 0) + 1;
  if (asked.url.endsWith('/seen')) return answer.end(JSON.stringify(seen));
  // The first is never answered, the next at once.
  if (asked.url.includes('/slow') && seen[asked.url] === 1) return;
  if (!asked.url.includes('/busy')) return asked.resume().on('end', () => answer.end('served'));
  let size = 0;
  asked.pause();
  setTimeout(() => asked.on('data', (part) => { size += part.length; }).on('end', () => answer.end(String(size))).resume(), 6000);
}).listen({ port: ${PORT}, keepAliveTimeout: 600000 }, () => console.log('listening')).keepAliveTimeout = 600000;`;

let host: OtherHost;
let gateway: TestGateway;

beforeAll(async () => {
  host = await otherHost('lost', 78, SERVICE);
  const [api, identity] = [await freePort(), await freePort()];
  const backend = { [`127.0.0.1:${api}`]: `${host.address}:${PORT}` };
  gateway = await startGateway({ api, identity }, { ...backend, ...CHANGES });
});
afterEach(() => host.filter(''));
afterAll(async () => {
  await gateway?.stop();
  host?.close();
});

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`http://127.0.0.1:${gateway.ports.http}/api/v1/jobs${path}`, { ...init, signal: AbortSignal.timeout(60_000) });
const timed = async (answer: Promise<Response>) => {
  const from = performance.now();
  const { status } = await answer;
  return { status, noticed: performance.now() - from < NOTICED_MS };
};
const seen = async (): Promise<Record<string, number>> =>
  (await ask('/seen').then((answer) => answer.json())) as Record<string, number>;
const rules = (...drops: readonly string[]): string => `table inet cut {
  chain in { type filter hook prerouting priority raw; ${drops.map((drop) => drop.replace('PORT', 'sport')).join('')} }
  chain out { type filter hook output priority raw; ${drops.map((drop) => drop.replace('PORT', 'dport')).join('')} }
}
`;
/** Whoever is connected is heard no more; who connects anew is. So it is where another Pod of the service is still there. */
const loseConnections = (): void => host.filter(rules(...host.peersOf(PORT).map((port) => `tcp PORT ${port} drop; `)));
/** An answer has been had, so that a connection is there which the gateway takes again. */
const connected = () =>
  until('a connection is kept', 10, async () => {
    expect((await ask('/warm')).status).toBe(200);
    return host.peersOf(PORT).length > 0 || undefined;
  });

describe('a service that is gone without a word', () => {
  test('while a request is on its way to it: a GET is served by another, once it is given up', async () => {
    await connected();
    loseConnections();
    expect(await timed(ask('/get'))).toEqual({ status: 200, noticed: true });
    expect((await seen())['/api/v1/jobs/get']).toBe(1);
  });

  test('while it works at a request that it has: a GET is served by another, once it is given up', async () => {
    const answer = timed(ask('/slow'));
    await until('it has the request', 10, async () => ((await seen())['/api/v1/jobs/slow'] === 1 ? true : undefined));
    loseConnections();
    expect(await answer).toEqual({ status: 200, noticed: true });
    expect((await seen())['/api/v1/jobs/slow']).toBe(2);
  });

  test('while a request is on its way to it that changes something: it fails, and is not sent twice', async () => {
    await connected();
    loseConnections();
    expect(await timed(ask('/post', { method: 'POST', body: 'x'.repeat(1000) }))).toEqual({
      status: 502,
      noticed: true,
    });
    expect((await seen())['/api/v1/jobs/post']).toBeUndefined();
  });

  test('with all others of it: a GET fails', async () => {
    await connected();
    host.filter(rules('drop; '));
    expect(await timed(ask('/none'))).toEqual({ status: 502, noticed: true });
  });
});

describe('a service that is there', () => {
  test('and takes nothing of a body for longer: it is waited for', async () => {
    const answer = await ask('/busy', { method: 'PUT', body: new Uint8Array(BODY) });
    expect([answer.status, await answer.text()]).toEqual([200, String(BODY)]);
  });

  test('and was not asked for longer: it is asked on the connection that is there', async () => {
    await connected();
    const before = host.peersOf(PORT);
    await sleep(4_000);
    expect((await ask('/again')).status).toBe(200);
    expect(before).toEqual(expect.arrayContaining([...host.peersOf(PORT)]));
  });
});
