import { connect, createServer } from 'node:net';

/* `lead-out.ts SOCKET PORT`: out of a network namespace, to a port of its loopback. Sockets that have a path know no namespaces. */

const [socket = '', port = ''] = process.argv.slice(2);
createServer((outer) => {
  const inner = connect(Number(port), '127.0.0.1');
  for (const [one, other] of [
    [outer, inner],
    [inner, outer],
  ] as const) {
    one.on('error', () => other.destroy());
    one.pipe(other);
  }
}).listen(socket);
