import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { type TestCluster, testCluster } from '../../support/cluster/cluster.ts';
import { makePriorityClasses } from '../../support/cluster/priority-classes.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { type RuntimeStack, startRuntime } from '../../support/service/runtime-stack.ts';

const IMAGE = 'ghcr.io/neuro-inc/base';
/** A name of its own: the shared cluster may hold a platform whose agent looks after `default`. */
const CLUSTER = 'agent-test';
const LINES = 300_000;

let postgres: TestPostgres;
let cluster: TestCluster;
let stack: RuntimeStack;

beforeAll(async () => {
  postgres = await startPostgres();
  cluster = await testCluster();
  await makePriorityClasses(cluster);
  stack = await startRuntime(postgres, cluster, { cluster: CLUSTER });
});

afterAll(async () => {
  await stack?.stop();
  await cluster?.kubectl(['delete', 'pods', '-A', '-l', `delos.dev/cluster=${CLUSTER}`, '--wait=false']);
  await postgres?.stop();
});

type End =
  | { readonly refused: number; readonly message: string | undefined }
  | { readonly closed: number; readonly frames: readonly (readonly [number, string])[] };

/** Frames by channel until the end, or how the handshake was refused. */
function framesOf(socket: WebSocket, onOpen: (socket: WebSocket) => void = () => undefined): Promise<End> {
  const frames: [number, string][] = [];
  return new Promise((resolve, reject) => {
    socket.on('open', () => onOpen(socket));
    socket.on('message', (data) => {
      const frame = data as Buffer;
      frames.push([frame[0] ?? -1, frame.toString('utf8', 1)]);
    });
    socket.on('unexpected-response', (_request, response) => {
      const message = response.headers['x-error'];
      resolve({ refused: response.statusCode ?? 0, message: typeof message === 'string' ? message : undefined });
    });
    socket.on('close', (closed) => resolve({ closed, frames }));
    socket.on('error', reject);
  });
}

const outputOf = (end: End, channel: number): string =>
  'frames' in end ? end.frames.flatMap(([from, text]) => (from === channel ? [text] : [])).join('') : '';

describe('on a real kubelet', () => {
  test('a job’s output is read live and after its end, and its Pod goes', async () => {
    // stdout and stderr are two pipes: only time orders what comes through them.
    const id = await stack.run({
      image: IMAGE,
      command: 'sh -c "echo one; sleep 1; echo two >&2; sleep 1; printf three"',
    });
    expect((await stack.log(id)).toString()).toBe('one\ntwo\nthree');
    expect((await stack.reaches(id, 'succeeded')).history.exit_code).toBe(0);
    expect((await stack.log(id)).toString()).toBe('one\ntwo\nthree');
  });

  test('attach types and reads until the exit code; afterwards it is refused at once', async () => {
    const id = await stack.run({
      image: IMAGE,
      command: 'sh -c "while read line; do echo got $line; [ $line = end ] && exit 7; done"',
    });
    await stack.reaches(id, 'running');
    // Whoever only reads types nothing, and ends with it as well.
    const watching = Promise.withResolvers<void>();
    const watched = framesOf(stack.socket(`${id}/attach?stdin=0&stdout=1&stderr=1&tty=0`), (socket) => {
      socket.send(Buffer.from('\0end\n'));
      watching.resolve();
    });
    await watching.promise;
    const ended = await framesOf(stack.socket(`${id}/attach?stdin=1&stdout=1&stderr=1&tty=0`), (socket) => {
      socket.send(Buffer.from('\0hello\n'));
      setTimeout(() => socket.send(Buffer.from('\0end\n')), 300);
    });
    for (const frames of [ended, await watched]) {
      expect(outputOf(frames, 1)).toBe('got hello\ngot end\n');
      expect(outputOf(frames, 3)).toBe('{"exit_code":7}');
    }
    expect(await framesOf(stack.socket(`${id}/attach?stdin=1&tty=0&stdout=0&stderr=0`))).toMatchObject({
      refused: 404,
      message: expect.any(String),
    });
    expect((await stack.reaches(id, 'failed')).history).toMatchObject({ reason: 'Error', exit_code: 7 });
  });

  test('exec tells both outputs and the exit code; a terminal has the size that was asked for', async () => {
    const id = await stack.run({ image: IMAGE, command: 'sleep 120' });
    await stack.reaches(id, 'running');
    const command = encodeURIComponent(`sh -c 'echo out; echo err >&2; exit 3'`);
    const plain = await framesOf(stack.socket(`${id}/exec?cmd=${command}&tty=0&stdin=1&stdout=1&stderr=1`));
    expect([outputOf(plain, 1), outputOf(plain, 2), outputOf(plain, 3)]).toEqual(['out\n', 'err\n', '{"exit_code":3}']);
    const missing = await framesOf(stack.socket(`${id}/exec?cmd=nosuch&tty=0&stdin=1&stdout=1&stderr=1`));
    expect(outputOf(missing, 3)).toBe('{"exit_code":127}');
    const size = encodeURIComponent(`sh -c 'while [ "$(stty size)" = "0 0" ]; do sleep 0.1; done; stty size'`);
    const tty = await framesOf(stack.socket(`${id}/exec?cmd=${size}&tty=1&stdin=1&stdout=1&stderr=0`), (socket) =>
      socket.send(Buffer.concat([Buffer.from([4]), Buffer.from('{"height":33,"width":77}')])),
    );
    expect(outputOf(tty, 1)).toBe('33 77\r\n');
    await stack.request('DELETE', `/jobs/${id}`);
  });

  test('a port is forwarded, byte for byte', async () => {
    const echo = `import socket
s = socket.create_server(("", 7000))
while True:
    c, _ = s.accept()
    while True:
        d = c.recv(65536)
        if not d: break
        c.sendall(d)`;
    const id = await stack.run({ image: IMAGE, command: `python3 -uc '${echo}'` });
    await stack.reaches(id, 'running');
    await sleep(1_000);
    const sent = Buffer.from(Array.from({ length: 200_000 }, (_, index) => index % 251));
    const got = await new Promise<Buffer>((resolve, reject) => {
      const parts: Buffer[] = [];
      const socket = stack.socket(`${id}/port_forward/7000`);
      socket.on('open', () => socket.send(sent));
      socket.on('message', (data) => {
        parts.push(data as Buffer);
        if (Buffer.concat(parts).length >= sent.length) socket.close();
      });
      socket.on('close', () => resolve(Buffer.concat(parts)));
      socket.on('error', reject);
    });
    expect(got.equals(sent)).toBe(true);
    await stack.request('DELETE', `/jobs/${id}`);
  });

  test('a killed job ends by SIGTERM, and what it said last is kept', async () => {
    const id = await stack.run({
      image: IMAGE,
      command: `sh -c "trap 'echo bye; exit 5' TERM; echo started; while true; do sleep 0.1; done"`,
    });
    const first = stack.socket(`${id}/log_ws`);
    await new Promise((resolve) => first.once('message', resolve));
    expect((await stack.request('DELETE', `/jobs/${id}`)).ok).toBe(true);
    expect((await stack.log(id)).toString()).toBe('started\nbye\n');
    expect(await stack.job(id)).toMatchObject({ status: 'cancelled', history: { reason: 'Killed', exit_code: 5 } });
  });

  test.each([
    ['CannotStart', { image: IMAGE, command: 'nosuchcommand' }],
    ['OOMKilled', { image: IMAGE, command: 'python3 -c "x = bytearray(400_000_000); print(len(x))"' }],
    ['ErrImagePull', { image: 'nosuchhost.invalid/nosuchimage:1', command: 'true' }],
  ])('says why it failed: %s', async (reason, job) => {
    const { history } = await stack.reaches(await stack.run(job), 'failed');
    expect(history).toMatchObject({ reason, description: expect.stringMatching(/\w+ \w+/) });
  });

  test('all attempts of a restarted job are one log', async () => {
    const id = await stack.run({
      image: IMAGE,
      restart_policy: 'on-failure',
      command: 'sh -c "echo attempt; sleep 1; test -e /dev/shm/x && exit 0; touch /dev/shm/x; exit 1"',
      resources: { shm: true },
    });
    expect((await stack.log(id)).toString()).toBe('attempt\nattempt\n');
    expect((await stack.reaches(id, 'succeeded')).history.restarts).toBe(1);
  });

  test('a Pod that is deleted from outside is not made again', async () => {
    const id = await stack.run({ image: IMAGE, command: 'sleep 600' });
    await stack.reaches(id, 'running');
    await cluster.kubectl(['delete', 'pods', '-A', '-l', `delos.dev/job=${id}`, '--grace-period=1']);
    await stack.reaches(id, 'failed');
    await sleep(3_000);
    const left = await cluster.kubectl(['get', 'pods', '-A', '-l', `delos.dev/job=${id}`, '-o', 'name']);
    expect(left.trim()).toBe('');
  });

  test('a long log is archived byte for byte while collector, API and agent are killed', async () => {
    const program = `import sys, time
for part in range(100):
    sys.stdout.write("".join("line %07d of a long log\\n" % (part * 3000 + i) for i in range(3000)))
    sys.stdout.flush()
    time.sleep(0.1)`;
    const id = await stack.run({ image: IMAGE, command: `python3 -c '${program}'` });
    await stack.reaches(id, 'running');
    for (const service of ['collector', 'api', 'agent', 'collector', 'api'] as const) {
      await sleep(1_500);
      await stack.kill(service);
    }
    await stack.reaches(id, 'succeeded');
    const expected = createHash('sha256');
    for (let i = 0; i < LINES; i += 1) expected.update(`line ${String(i).padStart(7, '0')} of a long log\n`);
    const got = createHash('sha256').update(await stack.log(id));
    expect(got.digest('hex')).toBe(expected.digest('hex'));
  });
});
