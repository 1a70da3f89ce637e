import { createSocket } from 'node:dgram';
import { createConnection, createServer } from 'node:net';

const QUERY_LIMIT = 5000;
const PENDING_LIMIT = 1000;

/** Answers DNS on `address` with a resolver that only this machine's loopback reaches. Runs until the process ends. */
export function relayDns(address: string, resolver: string, warn: (text: string) => void): void {
  let pending = 0;
  const server = createSocket('udp4');
  server.on('error', (error) => {
    warn(`DNS relay: ${error.message}`);
    server.close();
    setTimeout(() => relayDns(address, resolver, warn), 1000);
  });
  server.on('message', (query, from) => {
    if (pending >= PENDING_LIMIT) return;
    pending++;
    const upstream = createSocket('udp4');
    const limit = setTimeout(() => upstream.close(), QUERY_LIMIT);
    upstream.on('close', () => {
      pending--;
      clearTimeout(limit);
    });
    upstream.on('error', () => upstream.close());
    upstream.on('message', (answer) => {
      server.send(answer, from.port, from.address);
      upstream.close();
    });
    upstream.send(query, 53, resolver);
  });
  server.bind(53, address);

  const streams = createServer((client) => {
    const upstream = createConnection(53, resolver);
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  streams.on('error', (error) => warn(`DNS relay (TCP): ${error.message}`));
  streams.listen(53, address);
}
