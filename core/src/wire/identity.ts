import { z } from 'zod';
import { identity } from '../config/identity/index.ts';

/*
 * What the identity provider shall hold, as the deployment writes it (identity.json) and the reconciliation reads it.
 * Passwords are not part of it: they come from a Secret, a file a user.
 */
export const identitySpec = z.strictObject({
  realm: z.string().regex(/^[a-z][a-z0-9-]*$/),
  displayName: z.string(),
  /** The official client: public, authorization code with PKCE. */
  client: z.strictObject({ id: z.string(), redirectUris: z.array(z.string()) }),
  /** Services that people log in to by a browser: public clients, authorization code with PKCE. */
  logins: z.array(z.strictObject({ id: z.string(), title: z.string(), redirectUris: z.array(z.string()) })).default([]),
  /** Claim `aud` of the tokens that the control API takes: the client's id. */
  audience: z.string(),
  /** Plain http is refused, but for private addresses. */
  requireTls: z.boolean(),
  /** Seconds. */
  accessTokenLifespan: z.number().int().positive(),
  /** Accounts of the realm itself. */
  users: z.array(z.strictObject({ username: z.string(), email: z.string() })),
  /** Who else has accounts. Secrets are no part of it: each comes as a file, named like its provider. */
  providers: identity,
  /** Organizations and their projects, which groups of providers give roles in. */
  organizations: z.array(z.strictObject({ name: z.string(), projects: z.array(z.strictObject({ name: z.string() })) })),
});
export type IdentitySpec = z.infer<typeof identitySpec>;
