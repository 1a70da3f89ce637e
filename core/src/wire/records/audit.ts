import { z } from 'zod';

/*
 * How the operator's command asks the control API's Pod for audit records: one request on the stdin of
 * `delos-runtime audit`, one answer on its stdout.
 */
const text = z.string().min(1).max(500);
export const auditRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('ls'),
    actor: text.optional(),
    act: text.optional(),
    object: text.optional(),
    outcome: z.enum(['done', 'refused', 'failed']).optional(),
    from: z.iso.datetime().optional(),
    to: z.iso.datetime().optional(),
    after: z.number().int().min(0),
    limit: z.number().int().min(1).max(1_000),
  }),
  z.strictObject({
    action: z.literal('export'),
    after: z.number().int().min(0),
    limit: z.number().int().min(1).max(1_000),
    /** Signs what the chain is now, before anything is read. */
    sign: z.boolean(),
  }),
  z.strictObject({ action: z.literal('keys') }),
  z.strictObject({
    action: z.literal('erase'),
    actor: text,
    by: z.string().min(1).max(200),
    why: z.string().min(1).max(500),
  }),
]);
export type AuditRequest = z.infer<typeof auditRequest>;

/** A piece of the chain: JSON lines, and the number of the last record in it. */
export const auditPiece = z.object({ lines: z.array(z.string()), last: z.number() });

export const auditKeyRecords = z.array(z.object({ name: z.string(), publicKey: z.string() }));
