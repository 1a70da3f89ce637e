import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import { shownCertificate, shownEnd } from '../../support/edge/raw-connection.ts';
import { until } from '../../support/until.ts';

/* New certificates at the real Caddy, which serves all the while. */

const RENEWALS = 4;
const CALLERS = 6;
const LIMIT_S = 60;

let gateway: TestGateway;
let server: Server;

beforeAll(async () => {
  server = createServer((request, answer) => {
    let size = 0;
    request.on('data', (part: Buffer) => {
      size += part.length;
    });
    request.on('end', () => answer.end(String(size)));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data, binary) => socket.send(data, { binary })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  gateway = await startGateway({ api: port, identity: port });
});
afterAll(async () => {
  await gateway?.stop();
  server?.closeAllConnections();
  server?.close();
});

const handshake = (): Promise<string> => shownCertificate(gateway.ports.https);

const another = (before: string): Promise<string> =>
  until('the gateway shows another certificate', LIMIT_S, async () => {
    const shown = await handshake();
    return shown === before ? undefined : shown;
  });

test('a new certificate is taken by the same process: no handshake fails, no request and no stream is cut', async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/api/v1/jobs/x/log_ws`);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let feed: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      feed = controller;
      controller.enqueue(new Uint8Array(10_000));
    },
  });
  const upload = fetch(`http://127.0.0.1:${gateway.ports.http}/api/v1/x`, {
    method: 'POST',
    body,
    duplex: 'half',
  } as RequestInit);

  const shown = new Set<string>();
  const failed: unknown[] = [];
  let done = false;
  const callers = Array.from({ length: CALLERS }, async () => {
    while (!done) {
      await handshake().then(
        (one) => shown.add(one),
        (error: unknown) => failed.push(error),
      );
      await sleep(5);
    }
  });
  let last = await handshake();
  for (let nth = 0; nth < RENEWALS; nth++) {
    await gateway.renew();
    last = await another(last);
  }
  done = true;
  await Promise.all(callers);
  expect(failed).toEqual([]);
  expect(shown.size).toBe(RENEWALS + 1);

  feed?.enqueue(new Uint8Array(10_000));
  feed?.close();
  expect(await (await upload).text()).toBe('20000');
  const echoed = new Promise((resolve) => socket.once('message', (data) => resolve(String(data))));
  socket.send('still there');
  expect(await echoed).toBe('still there');
  socket.close();
});

test('one that cannot be loaded changes nothing, and the next good one is taken', async () => {
  const before = await handshake();
  await gateway.spoil();
  await until('it is said', LIMIT_S, () => (/PEM data/.test(gateway.logged()) ? true : undefined));
  expect(await handshake()).toBe(before);
  await gateway.renew();
  expect(await another(before)).not.toBe(before);
});

test('its metrics are Caddy’s, and when the certificate ends that it shows', async () => {
  const answer = await fetch(`http://127.0.0.1:${gateway.ports.internal}/metrics`);
  expect(answer.headers.get('content-type')).toMatch(/^text\/plain/);
  const text = await answer.text();
  expect(text).toMatch(/^caddy_http_requests_total\{/m);
  // It is written right after the certificate is put in its place.
  const shown = Date.parse(await shownEnd(gateway.ports.https)) / 1000;
  await until('the metric is of what is shown', LIMIT_S, async (last) => {
    const now = await (await fetch(`http://127.0.0.1:${gateway.ports.internal}/metrics`)).text();
    last(now.slice(-500));
    return now.includes(`delos_gateway_certificate_end_timestamp_seconds ${shown}\n`) ? true : undefined;
  });
});
