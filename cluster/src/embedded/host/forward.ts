import { createServer, type Server, Socket } from 'node:net';
import { z } from 'zod';

/** Ports of 127.0.0.1 of the machine that lead to ports of the node. */
export const forwards = z.object({
  ports: z.array(z.object({ host: z.number().int().min(1).max(65535), node: z.number().int().min(1).max(65535) })),
});
export type Forwards = z.infer<typeof forwards>;

const DIAL_LIMIT = 10_000;

/**
 * Answers on `address`, or on loopback where none is given, by connecting to `target` of that moment. Bytes go from socket to socket
 * with back-pressure; an end of one direction is passed on and leaves the other open; a broken end breaks the other.
 * @throws NodeJS.ErrnoException such as EADDRINUSE
 */
export function listen(
  port: number,
  target: () => { readonly host: string; readonly port: number },
  address = '127.0.0.1',
): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = new Socket({ allowHalfOpen: true });
    const { host, port: at } = target();
    upstream.setNoDelay(true);
    const dialing = setTimeout(() => upstream.destroy(new Error(`${host}:${at} does not answer`)), DIAL_LIMIT);
    upstream.once('connect', () => clearTimeout(dialing));
    join(client, upstream);
    upstream.once('close', () => clearTimeout(dialing));
    upstream.connect(at, host);
  });
  server.on('error', () => undefined);
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: address, backlog: 1024 }, () => resolve(server));
  });
}

function join(left: Socket, right: Socket): void {
  left.pipe(right);
  right.pipe(left);
  for (const [one, other] of [
    [left, right],
    [right, left],
  ] as const) {
    one.on('error', () => other.resetAndDestroy());
    one.on('close', (broken) => {
      if (broken || !one.readableEnded) other.destroy();
    });
  }
}
