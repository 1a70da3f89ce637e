import { OWN_PREFIX } from '@delos/core';
import { z } from 'zod';
import { canonicalBytes, parseCanonical } from '../format/canonical.ts';

/*
 * What is signed is an in-toto statement, https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, that names a
 * file by its digest. openssl verifies the bytes; cosign's `verify-blob-attestation` is made for such ones.
 */

export const PAYLOAD_TYPE = 'application/vnd.in-toto+json';
const STATEMENT = 'https://in-toto.io/Statement/v1';

/** What the file is. */
export const PREDICATES = {
  index: `https://${OWN_PREFIX}bundle-index/v1`,
  keys: `https://${OWN_PREFIX}bundle-keys/v1`,
} as const;
export type Signed = keyof typeof PREDICATES;

const schema = z.strictObject({
  _type: z.literal(STATEMENT),
  predicate: z.strictObject({ format: z.literal(1) }),
  predicateType: z.string(),
  subject: z.tuple([
    z.strictObject({ digest: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }), name: z.string() }),
  ]),
});

export function statementOf(what: Signed, name: string, sha256: string): Buffer {
  return canonicalBytes({
    _type: STATEMENT,
    predicate: { format: 1 },
    predicateType: PREDICATES[what],
    subject: [{ digest: { sha256 }, name }],
  });
}

/** Digest of the file that a statement names, 64 digits; undefined for one about anything else. */
export function subjectOf(what: Signed, name: string, bytes: Buffer): string | undefined {
  const { data } = schema.safeParse(parseCanonical(bytes));
  const [subject] = data?.subject ?? [];
  if (data?.predicateType !== PREDICATES[what] || subject?.name !== name) return undefined;
  return subject.digest.sha256;
}
