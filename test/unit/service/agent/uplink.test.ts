import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { Uplink, type UplinkProps } from '../../../../runtime/service/src/uplink.ts';
import { quiet } from '../../../support/service/postgres.ts';
import { until } from '../../../support/until.ts';

let server: WebSocketServer;
let stop: AbortController;
beforeEach(async () => {
  stop = new AbortController();
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
});
afterEach(() => {
  stop.abort();
  server.close();
});

/** One that nobody talks over. */
function uplinkTo(listener: WebSocketServer, more: Pick<UplinkProps, 'clock'> = {}): Uplink {
  const { port } = listener.address() as AddressInfo;
  const silent = { onOpen: () => undefined, onMessage: () => undefined };
  return new Uplink({ url: `http://127.0.0.1:${port}`, token: 'x', log: quiet, ...silent, ...more });
}

test('a connection that the control plane refuses says why, and is dialled again', async () => {
  let dialled = 0;
  server.on('connection', (socket) => {
    dialled += 1;
    socket.close(1002, 'the agent speaks protocol 1, and the control API 2');
  });
  const uplink = uplinkTo(server);
  const running = uplink.run(stop.signal);
  await until('it dials again', 20, () => (dialled > 1 && !uplink.connected ? true : undefined));
  expect(uplink.problem).toBe(
    'the control plane ended the connection (1002: the agent speaks protocol 1, and the control API 2)',
  );
  stop.abort();
  await running;
});

test('it dials ever slower while connections end at once, and fast again after one of more than five seconds', async () => {
  /** How long each connection lasts, in seconds. */
  const LASTED = [0, 1, 5, 0, 0, 4.9, 5.1, 0, 60, 60];
  /** The longest wait after each of them, in milliseconds. */
  const WAITS = [100, 250, 500, 1_000, 2_000, 2_000, 100, 250, 100, 100];
  let now = 0;
  const waits: number[] = [];
  const clock = {
    now: () => now,
    sleep: async (ms: number) => {
      waits.push(ms);
      if (waits.length === LASTED.length) stop.abort();
    },
  };
  server.on('connection', (socket) => {
    now += (LASTED[waits.length] ?? 0) * 1_000;
    socket.close(1002, 'refused');
  });
  await uplinkTo(server, { clock }).run(stop.signal);
  expect(waits.map((wait, index) => wait > (WAITS[index] ?? 0) / 2 - 1 && wait <= (WAITS[index] ?? 0))).toEqual(
    WAITS.map(() => true),
  );
});
