import { randomInt } from 'node:crypto';
import { connect } from 'node:net';
import { DelosError } from '../errors/errors.ts';
import type { EntranceRecord } from './entrance-names.ts';
import { signMessage, type TsigKey, tsigFault } from './tsig.ts';
import {
  CLASSES,
  decodeMessage,
  encodeAddress,
  encodeName,
  encodeRecord,
  encodeText,
  rcodeName,
  TYPES,
  u16,
} from './wire.ts';

/** A server that takes updates of a zone, and the key that it knows. */
export interface UpdateServer {
  readonly server: string;
  readonly port: number;
  readonly zone: string;
  readonly key: TsigKey;
}

/** One change. What it does not name stays as it is. */
export type DnsChange =
  /** These records and no others of the name, A and AAAA. */
  | { readonly kind: 'replace'; readonly name: string; readonly records: readonly EntranceRecord[] }
  | { readonly kind: 'add-text' | 'remove-text'; readonly name: string; readonly text: string };

const LIMIT_MS = 10_000;
const UPDATE = 5 << 11;

/** All changes as one message: a server does all of them or none (RFC 2136, 3.4). */
export function encodeUpdate(zone: string, changes: readonly DnsChange[], id = randomInt(65_536)): Buffer {
  const records = changes.flatMap(encodeChange);
  return Buffer.concat([
    u16(id, UPDATE, 1, 0, records.length, 0),
    Buffer.concat([encodeName(zone), u16(TYPES.SOA, CLASSES.IN)]),
    ...records,
  ]);
}

/** RFC 2136, 2.5. */
function encodeChange(change: DnsChange): readonly Buffer[] {
  const { name } = change;
  if (change.kind === 'replace') {
    const gone = [TYPES.A, TYPES.AAAA].map((type) => encodeRecord(name, type, CLASSES.ANY, 0, Buffer.alloc(0)));
    const made = change.records.map(({ type, ttlSeconds, value }) =>
      encodeRecord(name, TYPES[type], CLASSES.IN, ttlSeconds, encodeAddress(value)),
    );
    return [...gone, ...made];
  }
  const text = encodeText(change.text);
  return change.kind === 'add-text'
    ? [encodeRecord(name, TYPES.TXT, CLASSES.IN, 60, text)]
    : [encodeRecord(name, TYPES.TXT, CLASSES.NONE, 0, text)];
}

/** Has the server make the changes. They can be made again, to the same end. @throws DelosError ERR_DNS with what it answered */
export async function updateDns(at: UpdateServer, changes: readonly DnsChange[]): Promise<void> {
  const now = new Date();
  const message = encodeUpdate(at.zone, changes);
  const { signed, mac } = signMessage(message, at.key, now);
  const answer = await exchange(at, signed);
  const { id, rcode } = decodeMessage(answer);
  const fault =
    id === message.readUInt16BE(0) ? tsigFault(answer, at.key, mac, new Date()) : 'it answers something else';
  // What it refuses for the signature it says there; any other refusal is its own word only where it is signed.
  if (fault === undefined && rcode === 0) return;
  const said = rcode === 0 ? '' : ` (${rcodeName(rcode)})`;
  throw refused(at, `${fault ?? 'it refuses the update'}${said}`);
}

const refused = ({ server, port, zone }: UpdateServer, why: string, cause?: unknown): DelosError =>
  new DelosError('ERR_DNS', `the DNS server ${server}:${port} did not take the update of ${zone}: ${why}`, {
    hint: 'check server, zone and key of `dns.update` in delos.yaml, and that the server lets this key update these names',
    ...(cause === undefined ? {} : { cause }),
  });

/** One message there and one back, by TCP (RFC 7766). */
function exchange(at: UpdateServer, message: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: at.server, port: at.port });
    const fail = (why: string, cause?: unknown): void => {
      socket.destroy();
      reject(refused(at, why, cause));
    };
    const timer = setTimeout(() => fail(`no answer within ${LIMIT_MS / 1000} s`), LIMIT_MS);
    let read = Buffer.alloc(0);
    socket.once('connect', () => socket.write(Buffer.concat([u16(message.length), message])));
    socket.on('data', (piece: Buffer) => {
      read = Buffer.concat([read, piece]);
      if (read.length < 2 || read.length < 2 + read.readUInt16BE(0)) return;
      clearTimeout(timer);
      socket.destroy();
      resolve(read.subarray(2, 2 + read.readUInt16BE(0)));
    });
    socket.once('error', (error) => {
      clearTimeout(timer);
      fail(error.message, error);
    });
    socket.once('close', () => {
      clearTimeout(timer);
      fail('it closed the connection without an answer');
    });
  });
}
