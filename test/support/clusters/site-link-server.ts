import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createServer } from 'node:tls';

/* What answers in the namespace of site-link.ts: TLS here, and all of it to the socket `gate`. */

const [, , folder = '', host = '', port = ''] = process.argv;
const read = (name: string): Buffer => readFileSync(join(folder, name));

createServer({ cert: read('server.crt'), key: read('server.key') }, (socket) => {
  const there = connect(join(folder, 'gate'));
  for (const [one, other] of [
    [socket, there],
    [there, socket],
  ] as const) {
    one.on('error', () => other.destroy());
    one.once('close', () => other.destroy());
    one.pipe(other);
  }
}).listen(Number(port), host);
