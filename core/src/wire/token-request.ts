import { z } from 'zod';

/*
 * How the operator's command asks the control API's Pod for tokens: one request on the stdin of
 * `delos-runtime token`, one answer on its stdout.
 */
export const tokenRequest = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('issue'),
    user: z.string().min(1).max(200),
    ttlSeconds: z.number().int().positive(),
    /** Who asks, for the record. */
    by: z.string().min(1).max(200),
  }),
  z.strictObject({ action: z.literal('revoke'), id: z.string().min(1).max(200), by: z.string().min(1).max(200) }),
  z.strictObject({ action: z.literal('list') }),
]);
export type TokenRequest = z.infer<typeof tokenRequest>;

/** An issued token as it is listed: never the token itself. Times are ISO 8601. */
export const tokenRecord = z.object({
  id: z.string(),
  user: z.string(),
  issuedBy: z.string(),
  issuedAt: z.string(),
  expiresAt: z.string(),
  revokedAt: z.string().nullable(),
});
export type TokenRecord = z.infer<typeof tokenRecord>;

export const issuedToken = z.object({ token: z.string(), id: z.string(), user: z.string(), expiresAt: z.string() });
