import { z } from 'zod';

/** What became of an act: `failed` where it was allowed, and something went wrong. */
export const OUTCOMES = ['done', 'refused', 'failed'] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** Where it was done: over the API, by a command on the cluster, in Keycloak, or where the agent makes Pods. */
export const SOURCES = ['api', 'command', 'keycloak', 'agent'] as const;
export type Source = (typeof SOURCES)[number];

/**
 * Texts that may tell of a person. A record has only commitments of them, so that they can be erased without a trace, and
 * without a break in the chain.
 */
export const FIELDS = ['actor', 'address', 'object', 'before', 'after', 'reason'] as const;
export type Field = (typeof FIELDS)[number];

/** One act. */
export interface AuditEvent {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  readonly source: Source;
  /** The verb: `job.kill`. */
  readonly act: string;
  readonly outcome: Outcome;
  /** How it was answered, as HTTP says it; 0: it was not asked over HTTP. */
  readonly status: number;
  /** What all acts of one request have in common. */
  readonly request: string;
  /** Who, from where, with what, what it was before and after, and why. One that is left out is not known. */
  readonly fields: Readonly<Partial<Record<Field, string>>>;
}

const digest = z.string().regex(/^[0-9a-f]{64}$/, 'expected 64 hexadecimal digits');

/** What the chain keeps of an act for good. */
export const auditRecord = z.strictObject({
  version: z.literal(1),
  at: z.int().min(0),
  source: z.enum(SOURCES),
  act: z.string().min(1).max(100),
  outcome: z.enum(OUTCOMES),
  status: z.int().min(0).max(999),
  request: z.string().max(200),
  /** Field → commitment. */
  fields: z.partialRecord(z.enum(FIELDS), digest),
});
export type AuditRecord = z.infer<typeof auditRecord>;

/** The text and the salt behind a commitment. With them anybody can check that the record means this text. */
export const opening = z.strictObject({ salt: digest, value: z.string() });
export type Opening = z.infer<typeof opening>;
export const openings = z.partialRecord(z.enum(FIELDS), opening);
export type Openings = z.infer<typeof openings>;

/** A record in its place. */
export const chained = z.strictObject({
  seq: z.int().min(1),
  /** Hash of the record before. */
  previous: digest,
  record: auditRecord,
  hash: digest,
  /** Those that were not erased. */
  opened: openings.default({}),
});
export type Chained = z.infer<typeof chained>;

/** Says of a chain what it was at a time, signed. */
export const checkpoint = z.strictObject({
  checkpoint: z.strictObject({
    version: z.literal(1),
    /** Number and hash of the last record; 0: there was none. */
    seq: z.int().min(0),
    hash: digest,
    /** Milliseconds since 1970. */
    at: z.int().min(0),
    /** Which key has signed it: the digest of the public one. */
    key: digest,
  }),
  /** Ed25519 (RFC 8032), base64. */
  signature: z.base64(),
});
export type Checkpoint = z.infer<typeof checkpoint>;
