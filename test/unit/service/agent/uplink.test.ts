import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { Uplink } from '../../../../runtime/service/src/uplink.ts';
import { quiet } from '../../../support/service/postgres.ts';
import { until } from '../../../support/until.ts';

let server: WebSocketServer;
const stop = new AbortController();
beforeEach(async () => {
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
});
afterEach(() => {
  stop.abort();
  server.close();
});

test('a connection that the control plane refuses says why, and is dialled again', async () => {
  let dialled = 0;
  server.on('connection', (socket) => {
    dialled += 1;
    socket.close(1002, 'the agent speaks protocol 1, and the control API 2');
  });
  const { port } = server.address() as AddressInfo;
  const uplink = new Uplink({
    url: `http://127.0.0.1:${port}`,
    token: 'x',
    log: quiet,
    onOpen: () => undefined,
    onMessage: () => undefined,
  });
  const running = uplink.run(stop.signal);
  await until('it dials again', 20, () => (dialled > 1 && !uplink.connected ? true : undefined));
  expect(uplink.problem).toBe(
    'the control plane ended the connection (1002: the agent speaks protocol 1, and the control API 2)',
  );
  stop.abort();
  await running;
});
