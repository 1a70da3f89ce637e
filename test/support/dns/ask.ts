import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { type Answer, decodeMessage, encodeName, u16 } from '../../../core/src/dns/wire.ts';

export interface DnsAnswer extends Answer {
  /** Bytes of the question and of the answer. */
  readonly sizes: readonly [asked: number, answered: number];
  /** Bits of the header: AA, TC, RA (RFC 1035, 4.1.1). */
  readonly flags: { readonly authoritative: boolean; readonly truncated: boolean; readonly recursion: boolean };
  /** Records of the sections answer, authority and additional. */
  readonly counts: readonly number[];
}

/** Asks one server one question as it stands. @throws Error where nothing is answered within 5 s */
export async function ask(
  at: { readonly host?: string; readonly port: number },
  name: string,
  type: number,
  by: 'udp' | 'tcp' = 'udp',
): Promise<DnsAnswer> {
  const message = Buffer.concat([u16(4711, 0x0100, 1, 0, 0, 0), encodeName(name), u16(type, 1)]);
  const host = at.host ?? '127.0.0.1';
  const answer = await (by === 'udp' ? byUdp(host, at.port, message) : byTcp(host, at.port, message));
  const flags = answer.readUInt16BE(2);
  return {
    ...decodeMessage(answer),
    sizes: [message.length, answer.length],
    flags: { authoritative: (flags & 0x400) !== 0, truncated: (flags & 0x200) !== 0, recursion: (flags & 0x80) !== 0 },
    counts: [6, 8, 10].map((offset) => answer.readUInt16BE(offset)),
  };
}

function byUdp(host: string, port: number, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4');
    const timer = setTimeout(() => {
      socket.close();
      reject(new Error('no answer by UDP'));
    }, 5_000);
    socket.once('message', (answer) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    });
    socket.once('error', reject);
    socket.send(message, port, host);
  });
}

function byTcp(host: string, port: number, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => socket.write(Buffer.concat([u16(message.length), message])));
    let read = Buffer.alloc(0);
    socket.setTimeout(5_000, () => socket.destroy(new Error('no answer by TCP')));
    socket.on('data', (piece) => {
      read = Buffer.concat([read, piece]);
      if (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) return;
      socket.destroy();
      resolve(read.subarray(2));
    });
    socket.once('error', reject);
  });
}

/** Addresses of an answer, as text. */
export const addressesOf = ({ records }: Answer): readonly string[] =>
  records.flatMap(({ type, data }) =>
    type === 1
      ? [[...data].join('.')]
      : type === 28
        ? [Array.from({ length: 8 }, (_, at) => data.readUInt16BE(2 * at).toString(16)).join(':')]
        : [],
  );
