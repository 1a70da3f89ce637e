import { type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { canonicalBytes, parseCanonical } from '../format/canonical.ts';
import { keyIdOf } from './keys.ts';

/*
 * DSSE, https://github.com/secure-systems-lab/dsse/blob/master/protocol.md: a signature is made over the type of what is
 * signed as well, so that one for an index is none for a list of keys.
 */

const base64 = z
  .string()
  .max(2 ** 20)
  .refine((text) => Buffer.from(text, 'base64').toString('base64') === text, 'expected base64');

const signature = z.strictObject({ keyid: z.string().regex(/^[0-9a-f]{64}$/), sig: base64 });
const envelope = z.strictObject({
  payload: base64,
  payloadType: z.string().max(200),
  signatures: z.array(signature).min(1).max(64),
});
export type Envelope = z.infer<typeof envelope>;

/** What is signed: `DSSEv1`, and type and payload, each after its length. */
export function signedBytes(payloadType: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head, 'utf8'), payload]);
}

/** Undefined for bytes that are no envelope in its one form. */
export function parseEnvelope(bytes: Buffer): Envelope | undefined {
  const parsed = envelope.safeParse(parseCanonical(bytes));
  return parsed.success ? parsed.data : undefined;
}

/** An envelope with a signature of each of these private keys, in the order of their names. */
export function seal(payloadType: string, payload: Buffer, keys: readonly KeyObject[]): Buffer {
  const bytes = signedBytes(payloadType, payload);
  const signatures = keys.map((key) => ({ keyid: keyIdOf(key), sig: sign(null, bytes, key).toString('base64') }));
  return envelopeBytes({ payloadType, payload: payload.toString('base64'), signatures });
}

/** The same envelope with one signature more, or with the same where that key has signed already. */
export function signedToo(given: Envelope, key: KeyObject): Buffer {
  const bytes = signedBytes(given.payloadType, Buffer.from(given.payload, 'base64'));
  const own = { keyid: keyIdOf(key), sig: sign(null, bytes, key).toString('base64') };
  return envelopeBytes({ ...given, signatures: [...given.signatures.filter(({ keyid }) => keyid !== own.keyid), own] });
}

function envelopeBytes({ payload, payloadType, signatures }: Envelope): Buffer {
  const sorted = signatures.toSorted((a, b) => (a.keyid < b.keyid ? -1 : 1));
  return canonicalBytes({ payload, payloadType, signatures: sorted.map(({ keyid, sig }) => ({ keyid, sig })) });
}

/** Whether a signature over these bytes is of this public key. */
export const isSignedBy = (bytes: Buffer, sig: string, key: KeyObject): boolean =>
  verify(null, bytes, key, Buffer.from(sig, 'base64'));
