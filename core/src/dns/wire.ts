import { isIPv4 } from 'node:net';

/*
 * Messages of DNS as they are sent (RFC 1035, 4), as far as updates (RFC 2136) and the questions around them need them.
 */

/** Types of records. */
export const TYPES = { A: 1, SOA: 6, TXT: 16, AAAA: 28, TSIG: 250, ANY: 255 } as const;
export const CLASSES = { IN: 1, NONE: 254, ANY: 255 } as const;
/** What a server says of a request (RFC 1035, 4.1.1; RFC 2136, 2.2; RFC 8945, 3). */
const RCODES = [
  'NOERROR',
  'FORMERR',
  'SERVFAIL',
  'NXDOMAIN',
  'NOTIMP',
  'REFUSED',
  'YXDOMAIN',
  'YXRRSET',
  'NXRRSET',
  'NOTAUTH',
  'NOTZONE',
];
export const rcodeName = (code: number): string => RCODES[code] ?? `RCODE${code}`;

/** A name in labels, in small letters, without compression. @throws Error for one that cannot be sent */
export function encodeName(name: string): Buffer {
  const labels = name.toLowerCase().replace(/\.$/, '').split('.');
  const parts = labels[0] === '' ? [] : labels;
  const bytes = parts.flatMap((label) => {
    const text = Buffer.from(label, 'latin1');
    if (text.length === 0 || text.length > 63) throw new Error(`${name} is no name of DNS`);
    return [Buffer.of(text.length), text];
  });
  const all = Buffer.concat([...bytes, Buffer.of(0)]);
  if (all.length > 255) throw new Error(`${name} is longer than DNS allows`);
  return all;
}

export const u16 = (...values: readonly number[]): Buffer => {
  const all = Buffer.alloc(2 * values.length);
  for (const [at, value] of values.entries()) all.writeUInt16BE(value, 2 * at);
  return all;
};
export const u32 = (value: number): Buffer => {
  const all = Buffer.alloc(4);
  all.writeUInt32BE(value);
  return all;
};

/** A record as it is sent. */
export function encodeRecord(name: string, type: number, kind: number, ttl: number, data: Buffer): Buffer {
  return Buffer.concat([encodeName(name), u16(type, kind), u32(ttl), u16(data.length), data]);
}

/** An IP address as it stands in a record. */
export function encodeAddress(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split('.').map(Number));
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = (text: string): readonly string[] => (text === '' ? [] : text.split(':'));
  const first = groups(head);
  const last = tail === undefined ? [] : groups(tail);
  const gap = tail === undefined ? 0 : 8 - first.length - last.length;
  return u16(
    ...[...first, ...Array.from({ length: gap }, () => '0'), ...last].map((group) => Number.parseInt(group, 16)),
  );
}

/** Text of a TXT record, in strings of at most 255 bytes. */
export function encodeText(text: string): Buffer {
  const bytes = Buffer.from(text);
  const pieces: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255) {
    const piece = bytes.subarray(at, at + 255);
    pieces.push(Buffer.of(piece.length), piece);
  }
  return Buffer.concat(pieces);
}

/** A message's head and what of it is of interest. */
export interface Answer {
  readonly id: number;
  readonly rcode: number;
  /** Where each record of the answer stands: offset of its name, of its data, and its type. */
  readonly records: readonly DecodedRecord[];
}
export interface DecodedRecord {
  /** Offset of the record in the message. */
  readonly at: number;
  readonly name: string;
  readonly type: number;
  readonly data: Buffer;
}

/** Reads a whole message. @throws Error for one that is cut short or winds in a circle */
export function decodeMessage(message: Buffer): Answer {
  if (message.length < 12) throw new Error('an answer of DNS is cut short');
  const counts = [4, 6, 8, 10].map((at) => message.readUInt16BE(at));
  const [questions = 0, ...sections] = counts;
  let at = 12;
  for (let nth = 0; nth < questions; nth++) at = readName(message, at).end + 4;
  const records: DecodedRecord[] = [];
  const total = sections.reduce((sum, count) => sum + count, 0);
  for (let nth = 0; nth < total; nth++) {
    const start = at;
    const { name, end } = readName(message, at);
    if (end + 10 > message.length) throw new Error('an answer of DNS is cut short');
    const length = message.readUInt16BE(end + 8);
    at = end + 10 + length;
    if (at > message.length) throw new Error('an answer of DNS is cut short');
    records.push({ at: start, name, type: message.readUInt16BE(end), data: message.subarray(end + 10, at) });
  }
  return { id: message.readUInt16BE(0), rcode: message.readUInt16BE(2) & 0xf, records };
}

/** A name, with compression (RFC 1035, 4.1.4), and where what follows it begins. */
function readName(message: Buffer, from: number): { readonly name: string; readonly end: number } {
  const labels: string[] = [];
  let at = from;
  let end: number | undefined;
  for (let steps = 0; steps < 128; steps++) {
    const length = message[at];
    if (length === undefined) break;
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: end ?? at + 1 };
    if (length >= 0xc0) {
      if (at + 1 >= message.length) break;
      end ??= at + 2;
      at = message.readUInt16BE(at) & 0x3fff;
    } else {
      labels.push(message.toString('latin1', at + 1, at + 1 + length));
      at += 1 + length;
    }
  }
  throw new Error('a name in an answer of DNS has no end');
}
