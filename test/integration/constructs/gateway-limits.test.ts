import { readdirSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { GATEWAY_LIMITS } from '../../../constructs/src/services/gateway/caddyfile.ts';
import { tryPeakMemory } from '../../support/cluster/node.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { openRaw, type RawConnection, shownCertificate } from '../../support/edge/raw-connection.ts';
import { until } from '../../support/until.ts';

/* Clients that begin and do not go on, at the real Caddy, whose limits in time are seconds here. */

const LIMIT_S = 60;
const CLIENTS = 300;
const MOST_UNDER_WAY = 5;

let gateway: TestGateway;
let server: Server;
/** Requests that the service behind the gateway has not answered. */
const held: ServerResponse[] = [];

beforeAll(async () => {
  server = createServer((request, answer) => {
    if (request.url?.endsWith('/hold') === true) held.push(answer);
    else if (request.url?.endsWith('/body') === true) request.resume().on('end', () => answer.end('read'));
    else answer.end('ok');
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  gateway = await startGateway(
    { api: port, identity: port },
    {
      [`read_header ${GATEWAY_LIMITS.header}`]: 'read_header 2s',
      'read_body 24h': 'read_body 8s',
      [`read_body_idle ${GATEWAY_LIMITS.bodyStall}`]: 'read_body_idle 1s',
      [`idle ${GATEWAY_LIMITS.idle}`]: 'idle 1s',
      'lb_try_duration 15s': 'lb_try_duration 1s',
      [`import upstream ${GATEWAY_LIMITS.answer} ${GATEWAY_LIMITS.underWay}`]: `import upstream 3s ${MOST_UNDER_WAY}`,
    },
  );
});
afterAll(async () => {
  await gateway?.stop();
  server?.closeAllConnections();
  server?.close();
});

async function endedByTheGateway(found: readonly RawConnection[]): Promise<void> {
  let left = found.length;
  for (const { closed } of found) void closed.then(() => (left -= 1));
  await until('the gateway ends all of them', LIMIT_S, (last) => {
    last(left);
    return left === 0 ? true : undefined;
  });
}

const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${gateway.ports.http}/api/v1${path}`);

const openFiles = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

describe('the gateway ends', () => {
  test.each([
    ['connections that say nothing', ''],
    ['headers that never end', 'GET /api/v1/x HTTP/1.1\r\nHost: x\r\nX: '],
    ['connections that are idle after an answer', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ])('%s', async (_what, bytes) => {
    const found = await Promise.all(Array.from({ length: CLIENTS }, () => openRaw(gateway.ports.http)));
    for (const { socket } of found) socket.write(bytes);
    await endedByTheGateway(found);
    expect((await get('/x')).status).toBe(200);
  });

  test('bodies that stall or come a byte at a time, before those that come fast enough and never end; and those too', async () => {
    const post = 'POST /api/v1/body HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{';
    const rates = { stalled: 0, trickling: 1, fast: GATEWAY_LIMITS.bodyRate };
    const kinds = Object.entries(rates);
    const ended: string[] = [];
    const found = await Promise.all(kinds.map(() => openRaw(gateway.ports.http)));
    for (const [nth, { socket, closed }] of found.entries()) {
      void closed.then(() => ended.push(kinds[nth]?.[0] ?? ''));
      socket.write(post);
    }
    const go = setInterval(() => {
      for (const [nth, { socket }] of found.entries()) socket.write('x'.repeat(kinds[nth]?.[1] ?? 0));
    }, 500);
    await endedByTheGateway(found).finally(() => clearInterval(go));
    expect(ended.at(-1)).toBe('fast');
    expect((await get('/x')).status).toBe(200);
  });
});

test('headers beyond the most are refused', async () => {
  const [small, large] = [8_000, 2 * GATEWAY_LIMITS.headerBytes].map((size) =>
    fetch(`http://127.0.0.1:${gateway.ports.http}/api/v1/x`, { headers: { x: 'x'.repeat(size) } }),
  );
  expect([(await small)?.status, (await large)?.status]).toEqual([200, 431]);
});

describe('more connections than it takes at once', () => {
  const longest = `GET /api/v1/x HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(GATEWAY_LIMITS.headerBytes - 1000)}`;
  let patient: TestGateway;
  beforeAll(async () => {
    const { port } = server.address() as AddressInfo;
    patient = await startGateway(
      { api: port, identity: port },
      { [`read_header ${GATEWAY_LIMITS.header}`]: 'read_header 10m' },
    );
  });
  afterAll(() => patient?.stop());

  test.each(['plain', 'TLS'] as const)(
    'wait; it keeps to its memory, answers again, takes a new certificate: %s',
    async (kind) => {
      const port = { plain: patient.ports.http, TLS: patient.ports.https }[kind];
      const sockets: Socket[] = [];
      const before = await shownCertificate(patient.ports.https);
      const open = async (): Promise<void> => {
        const { socket } = await openRaw(port, { tls: kind === 'TLS', opened: (one) => sockets.push(one) });
        socket.write(longest);
      };
      // Those that wait within TLS have no answer to their handshake, and break when they are ended.
      for (let nth = 0; nth < GATEWAY_LIMITS.openFiles + 500; nth++) void open().catch(() => undefined);
      await until('Caddy has no file left', LIMIT_S, (last) => {
        last(openFiles(patient.pid));
        return openFiles(patient.pid) >= GATEWAY_LIMITS.openFiles ? true : undefined;
      });
      // A certificate that comes now cannot even be read, and is taken when there is room again.
      await patient.renew();
      await sleep(2_000);
      expect(openFiles(patient.pid)).toBeLessThanOrEqual(GATEWAY_LIMITS.openFiles);
      expect(await tryPeakMemory(patient.pid)).toBeLessThan(256 * 2 ** 20);
      for (const socket of sockets) socket.destroy();
      await until('the gateway answers', LIMIT_S, async () => {
        const answer = await fetch(`http://127.0.0.1:${patient.ports.http}/api/v1/x`).catch(() => undefined);
        return answer?.status === 200 ? true : undefined;
      });
      await until('the gateway shows the new certificate', LIMIT_S, async () =>
        (await shownCertificate(patient.ports.https)) === before ? undefined : true,
      );
    },
  );
});

test('a WebSocket outlives the limits of requests', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/api/v1/jobs/x/log_ws`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const ended = new Promise<'ended'>((resolve) => socket.once('close', () => resolve('ended')));
  const later = new Promise<'open'>((resolve) => {
    setTimeout(() => resolve('open'), 8_000);
  });
  expect(await Promise.race([ended, later])).toBe('open');
  const echoed = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
  socket.send('still there');
  expect(await echoed).toBe('still there');
  socket.close();
});

test('a service that takes a request and says no word is waited for so long, and no longer', async () => {
  const began = held.length;
  const { status } = await get('/hold');
  expect(status).toBe(504);
  // It was not asked a second time, and others are answered.
  expect(held.length - began).toBe(1);
  expect((await get('/x')).status).toBe(200);
  held.length = 0;
});

test('requests under way at a service are bounded, and there is room again when they are answered', async () => {
  const waiting = Array.from({ length: MOST_UNDER_WAY }, () => get('/hold'));
  await until('the service has them', LIMIT_S, () => (held.length === MOST_UNDER_WAY ? true : undefined));
  expect((await get('/x')).status).toBe(503);
  for (const answer of held) answer.end('ok');
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual(waiting.map(() => 200));
  expect((await get('/x')).status).toBe(200);
});
