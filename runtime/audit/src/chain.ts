import { createHash, createHmac, type KeyObject, sign, verify } from 'node:crypto';
import { canonicalText } from './canonical.ts';
import {
  type AuditEvent,
  type AuditRecord,
  type Chained,
  type Checkpoint,
  FIELDS,
  type Field,
  type Opening,
  type Openings,
} from './event.ts';

/** What the first record names as the one before. */
export const NO_HASH = '0'.repeat(64);

const RECORD = 'delos audit record 1\n';
const CHECKPOINT = 'delos audit checkpoint 1\n';
export const SALT_BYTES = 32;

/**
 * The record of an act, and what opens its commitments.
 * @param salt gives {@link SALT_BYTES} bytes that nobody can guess, others each time
 */
export function recordOf(
  { fields, ...rest }: AuditEvent,
  salt: () => Uint8Array,
): { readonly record: AuditRecord; readonly opened: Openings } {
  const opened: Partial<Record<Field, Opening>> = {};
  const committed: Partial<Record<Field, string>> = {};
  for (const field of FIELDS) {
    const value = fields[field];
    if (value === undefined) continue;
    const made = { salt: Buffer.from(salt()).toString('hex'), value };
    opened[field] = made;
    committed[field] = commitmentOf(field, made);
  }
  return { record: { version: 1, ...rest, fields: committed }, opened };
}

/** HMAC-SHA-256 of field and text, with the salt as its key: it tells nothing of the text to whoever lacks the salt. */
export function commitmentOf(field: Field, { salt, value }: Opening): string {
  return createHmac('sha256', Buffer.from(salt, 'hex')).update(`${field}\0${value}`).digest('hex');
}

/** SHA-256 of a record's canonical text. */
export function digestOf(record: AuditRecord): string {
  return createHash('sha256').update(canonicalText(record)).digest('hex');
}

/** The hash of a record in its place: SHA-256 of a name, the hash before, the number (8 bytes) and the record's digest. */
export function hashOf(previous: string, seq: number, digest: string): string {
  const place = Buffer.alloc(8);
  place.writeBigUInt64BE(BigInt(seq));
  return createHash('sha256')
    .update(RECORD)
    .update(Buffer.from(previous, 'hex'))
    .update(place)
    .update(Buffer.from(digest, 'hex'))
    .digest('hex');
}

/** Puts a record behind the last one. */
export function append(
  last: Pick<Chained, 'seq' | 'hash'> | undefined,
  { record, opened }: { readonly record: AuditRecord; readonly opened: Openings },
): Chained {
  const [seq, previous] = [(last?.seq ?? 0) + 1, last?.hash ?? NO_HASH];
  return { seq, previous, record, hash: hashOf(previous, seq, digestOf(record)), opened };
}

/** The name of a key: SHA-256 of the public one (SubjectPublicKeyInfo, DER). */
export function keyName(publicKey: KeyObject): string {
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** Signs what the chain is now. @param keys an Ed25519 pair */
export function checkpointOf(
  last: Pick<Chained, 'seq' | 'hash'> | undefined,
  at: number,
  keys: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
): Checkpoint {
  const said = {
    version: 1 as const,
    seq: last?.seq ?? 0,
    hash: last?.hash ?? NO_HASH,
    at,
    key: keyName(keys.publicKey),
  };
  return { checkpoint: said, signature: sign(null, signedText(said), keys.privateKey).toString('base64') };
}

/** Whether one of the keys has signed it. */
export function isSigned({ checkpoint, signature }: Checkpoint, keys: readonly KeyObject[]): boolean {
  const key = keys.find((each) => keyName(each) === checkpoint.key);
  return key !== undefined && verify(null, signedText(checkpoint), key, Buffer.from(signature, 'base64'));
}

const signedText = (said: Checkpoint['checkpoint']): Buffer => Buffer.from(`${CHECKPOINT}${canonicalText(said)}`);
