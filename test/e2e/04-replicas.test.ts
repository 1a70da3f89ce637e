import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { PLATFORM_NAMESPACE, PORTS } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { kubectl, TEST_INSTANCE, token } from '../support/instance.ts';
import { type Api, api } from '../support/service/api.ts';
import { until } from '../support/until.ts';

/* Two control APIs, of which the agent is connected to one. Each is asked by itself, past the gateway. */

const DELOS = join(import.meta.dirname, '../../delos');
const running: ChildProcess[] = [];
let platform: Api;
let bearer: string;

const inPlatform = (...args: string[]): Promise<string> => kubectl(['-n', PLATFORM_NAMESPACE, ...args]);

async function scaled(replicas: number): Promise<readonly string[]> {
  await inPlatform('scale', 'deployment/control-api', `--replicas=${replicas}`);
  await inPlatform('rollout', 'status', 'deployment/control-api', '--timeout=120s');
  const selector = 'app.kubernetes.io/name=control-api';
  const names = await inPlatform('get', 'pods', '-l', selector, '-o', 'jsonpath={.items[*].metadata.name}');
  return names.trim().split(' ');
}

/** A port of this machine that leads to that Pod alone. */
async function forwarded(pod: string): Promise<number> {
  const port = await freePort();
  const args = ['kubectl', '-n', PLATFORM_NAMESPACE, 'port-forward', `pod/${pod}`, `${port}:${PORTS.http}`];
  const child = spawn(DELOS, args, {
    env: { ...process.env, DELOS_INSTANCE: TEST_INSTANCE },
    detached: true,
    stdio: 'ignore',
  });
  running.push(child);
  await until(`${pod} answers`, 30, () =>
    fetch(`http://127.0.0.1:${port}/api/v1/ping`).then(
      ({ ok }) => ok || undefined,
      () => undefined,
    ),
  );
  return port;
}

/** What a command in a job prints, asked of the API at that port. */
async function printed(port: number, job: string, command: string): Promise<string> {
  const query = new URLSearchParams({ cmd: command, stdin: '0', stdout: '1', stderr: '1', tty: '0' });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/jobs/${job}/exec?${query}`, {
    headers: { authorization: `Bearer ${bearer}` },
  });
  const frames: Buffer[] = [];
  socket.on('message', (data: Buffer) => frames.push(data));
  await once(socket, 'close');
  // The first byte of a frame tells its channel; 1 is the output.
  return Buffer.concat(frames.filter((frame) => frame[0] === 1).map((frame) => frame.subarray(1))).toString('utf8');
}

beforeAll(async () => {
  platform = await api('ann');
  bearer = await token('ann');
});
afterAll(async () => {
  for (const { pid } of running) if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  await scaled(1);
});

test('a command in a job works at both of two control APIs, whichever has the agent', async () => {
  const pods = await scaled(2);
  expect(pods).toHaveLength(2);
  const job = await platform.create({ name: 'two-apis', command: 'sleep 300' });
  await platform.running(job.id);
  for (const pod of pods) {
    const port = await forwarded(pod);
    for (const nth of [1, 2, 3]) {
      expect(await printed(port, job.id, `echo "${pod} ${nth}"`)).toBe(`${pod} ${nth}\n`);
    }
  }
  await platform.call('DELETE', `/jobs/${job.id}`);
});
