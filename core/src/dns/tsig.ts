import { createHmac, timingSafeEqual } from 'node:crypto';
import type { TSIG_ALGORITHMS } from '../config/dns.ts';
import { CLASSES, decodeMessage, encodeName, encodeRecord, TYPES, u16, u32 } from './wire.ts';

/** A key that a server and its clients share. @see https://www.rfc-editor.org/rfc/rfc8945 */
export interface TsigKey {
  readonly name: string;
  readonly algorithm: (typeof TSIG_ALGORITHMS)[number];
  /** Base64, as `tsig-keygen` writes it. */
  readonly secret: string;
}

/** Seconds that clocks may differ by (RFC 8945, 10). */
const FUDGE = 300;
const time48 = (seconds: number): Buffer => Buffer.concat([u16(Math.floor(seconds / 2 ** 32)), u32(seconds % 2 ** 32)]);

/** What is signed beside the message (RFC 8945, 4.3.3). */
const variables = ({ name, algorithm }: TsigKey, time: Buffer, fudge: Buffer, error: Buffer, other: Buffer): Buffer =>
  Buffer.concat([
    encodeName(name),
    u16(CLASSES.ANY),
    u32(0),
    encodeName(algorithm),
    time,
    fudge,
    error,
    u16(other.length),
    other,
  ]);

const macOf = ({ algorithm, secret }: TsigKey, ...pieces: readonly Buffer[]): Buffer =>
  createHmac(algorithm.replace('hmac-', ''), Buffer.from(secret, 'base64')).update(Buffer.concat(pieces)).digest();

/** @returns the message with its signature behind it, and that signature, by which the answer is judged */
export function signMessage(
  message: Buffer,
  key: TsigKey,
  now: Date,
): { readonly signed: Buffer; readonly mac: Buffer } {
  const time = time48(Math.floor(now.getTime() / 1000));
  const [fudge, none] = [u16(FUDGE), u16(0)];
  const mac = macOf(key, message, variables(key, time, fudge, none, Buffer.alloc(0)));
  const data = Buffer.concat([
    encodeName(key.algorithm),
    time,
    fudge,
    u16(mac.length),
    mac,
    message.subarray(0, 2),
    none,
    none,
  ]);
  const signed = Buffer.concat([message, encodeRecord(key.name, TYPES.TSIG, CLASSES.ANY, 0, data)]);
  signed.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  return { signed, mac };
}

/**
 * Whether an answer is the server's own, to that very request.
 * @param mac of the request
 * @returns undefined where it is, else what is wrong, for people
 */
export function tsigFault(answer: Buffer, key: TsigKey, mac: Buffer, now: Date): string | undefined {
  const record = decodeMessage(answer).records.at(-1);
  if (record?.type !== TYPES.TSIG) return 'its answer is not signed';
  const { data } = record;
  const start = encodeName(key.algorithm).length;
  // A key that it does not know it answers without a signature, with an error in its place.
  if (data.length < start + 16) return 'its signature is cut short';
  const length = data.readUInt16BE(start + 8);
  const after = start + 10 + length;
  if (data.length < after + 6) return 'its signature is cut short';
  const error = data.readUInt16BE(after + 2);
  if (error !== 0) return ERRORS[error] ?? `it answers with the error ${error} of TSIG`;
  const bare = Buffer.from(answer.subarray(0, record.at));
  bare.writeUInt16BE(answer.readUInt16BE(10) - 1, 10);
  data.copy(bare, 0, after, after + 2);
  const time = data.subarray(start, start + 6);
  const other = data.subarray(after + 6);
  const parts = variables(key, time, data.subarray(start + 6, start + 8), data.subarray(after + 2, after + 4), other);
  const expected = macOf(key, u16(mac.length), mac, bare, parts);
  const given = data.subarray(start + 10, after);
  if (given.length !== expected.length || !timingSafeEqual(given, expected))
    return 'its answer is signed by another key';
  const seconds = time.readUIntBE(0, 6);
  return Math.abs(now.getTime() / 1000 - seconds) > FUDGE ? 'its clock differs by more than five minutes' : undefined;
}

const ERRORS: Readonly<Record<number, string>> = {
  16: 'it does not take the signature: the secret is another one there (BADSIG)',
  17: 'it knows no key of that name and algorithm (BADKEY)',
  18: 'its clock differs by more than five minutes (BADTIME)',
};
