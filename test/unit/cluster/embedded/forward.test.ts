import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Server, type Socket } from 'node:net';
import { tryHolderOf } from '@delos/host';
import { afterEach, expect, test } from 'vitest';
import { listen } from '../../../../cluster/src/embedded/host/forward.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** A server of the node, and the loopback port that leads to it. */
async function forwarded(serve: (socket: Socket) => void): Promise<number> {
  const target = createServer({ allowHalfOpen: true }, serve).listen(0, '127.0.0.1');
  await once(target, 'listening');
  const server = await listen(0, () => ({ host: '127.0.0.1', port: portOf(target) }));
  servers.push(target, server);
  return portOf(server);
}

async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

test('an end of one direction is passed on, and the other stays open', async () => {
  const port = await forwarded((socket) => {
    void collect(socket).then((all) => socket.end(`got ${all.length}`));
  });
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end('twelve bytes');
  expect((await collect(socket)).toString()).toBe('got 12');
});

test('megabytes come through whole in both directions, to a reader that is slow', async () => {
  const port = await forwarded((socket) => socket.pipe(socket));
  const sent = randomBytes(8 << 20);
  const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
  socket.pause();
  socket.end(sent);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const digest = (data: Buffer) => createHash('sha256').update(data).digest('hex');
  expect(digest(await collect(socket))).toBe(digest(sent));
});

test('three hundred connections at once each get their own answer', async () => {
  const port = await forwarded((socket) => socket.pipe(socket));
  const answers = await Promise.all(
    Array.from({ length: 300 }, async (_, index) => {
      const socket = createConnection({ port, host: '127.0.0.1', allowHalfOpen: true });
      socket.end(`number ${index}`);
      return (await collect(socket)).toString();
    }),
  );
  expect(answers).toEqual(Array.from({ length: 300 }, (_, index) => `number ${index}`));
});

test('a target that is not there ends the connection, and the port goes on answering', async () => {
  const gone = createServer().listen(0, '127.0.0.1');
  await once(gone, 'listening');
  const target = portOf(gone);
  await new Promise((resolve) => gone.close(resolve));
  const server = await listen(0, () => ({ host: '127.0.0.1', port: target }));
  servers.push(server);
  for (let round = 0; round < 2; round++) {
    const socket = createConnection(portOf(server), '127.0.0.1');
    socket.on('error', () => undefined);
    await new Promise((resolve) => socket.once('close', resolve));
  }
  expect(server.listening).toBe(true);
});

test('the holder of a taken port is named', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  expect(tryHolderOf(portOf(server))?.pid).toBe(process.pid);
});
