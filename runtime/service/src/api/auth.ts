import { DelosError } from '@delos/core';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Db, ProjectRole } from '../db/schema.ts';
import type { Caller } from './deps.ts';

export interface TokenSettings {
  readonly issuer: string;
  /** Where the issuer's public keys are. */
  readonly jwksUrl: string;
  /** Client that tokens are for: `azp` or one of `aud`. */
  readonly audience: string;
  /** User name of the platform's administrator. */
  readonly admin: string;
}

const claims = z.object({
  identity: z.string().regex(/^[\x21-\x7e]+$/),
  azp: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  jti: z.string().optional(),
});

// Asymmetric ones only: a public key must never pass for a shared secret.
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

// Codes of jose that tell of the key set, not of the token.
const KEYS_UNREADABLE: ReadonlySet<string> = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC']);

const LOG_IN = 'log in again: apolo login, or apolo config login-with-token TOKEN URL';

/** Checks bearer tokens: signature, issuer, audience, expiry, revocation; then reads what the user may do. */
export function authenticator(db: Db, settings: TokenSettings): (header: string | undefined) => Promise<Caller> {
  const keys = createRemoteJWKSet(new URL(settings.jwksUrl), { timeoutDuration: 5_000, cooldownDuration: 10_000 });
  return async (header) => {
    const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
    if (token === undefined) throw unauthenticated('the request carries no bearer token');
    const payload = await verified(token, keys, settings.issuer);
    const parsed = claims.safeParse(payload);
    if (!parsed.success) throw unauthenticated('the token has no claim "identity" that names a user');
    const { identity, azp, aud, jti } = parsed.data;
    if (azp !== settings.audience && ![aud].flat().includes(settings.audience)) {
      throw unauthenticated(
        `the token was made for ${JSON.stringify(azp ?? aud ?? 'nobody')}, not for ${settings.audience}`,
      );
    }
    const [revoked, roles] = await Promise.all([isRevoked(db, jti), rolesOf(db, identity)]);
    if (revoked) throw unauthenticated('the token was revoked');
    return { user: identity, admin: identity === settings.admin, roles };
  };
}

async function verified(token: string, keys: JWTVerifyGetKey, issuer: string): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      requiredClaims: ['exp'],
      clockTolerance: 5,
      algorithms: ALGORITHMS,
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      const at = error.payload.exp === undefined ? '' : ` at ${new Date(error.payload.exp * 1000).toISOString()}`;
      throw unauthenticated(`the token expired${at}`);
    }
    if (error instanceof errors.JWTClaimValidationFailed) {
      throw unauthenticated(`the token's claim "${error.claim}" is not accepted`);
    }
    if (error instanceof errors.JOSEError && !KEYS_UNREADABLE.has(error.code)) {
      throw unauthenticated('the token is not one that this platform issued');
    }
    throw new DelosError('ERR_TIMEOUT', "the identity service's keys cannot be read, so no token can be checked", {
      hint: 'try again in a moment; if it stays: delos logs keycloak',
      cause: error,
    });
  }
}

function unauthenticated(message: string): DelosError {
  return new DelosError('ERR_UNAUTHENTICATED', message, { hint: LOG_IN });
}

async function isRevoked(db: Db, jti: string | undefined): Promise<boolean> {
  if (jti === undefined) return false;
  const row = await db
    .selectFrom('issued_tokens')
    .select('jti')
    .where('jti', '=', jti)
    .where('revoked_at', 'is not', null)
    .executeTakeFirst();
  return row !== undefined;
}

async function rolesOf(db: Db, user: string): Promise<ReadonlyMap<string, ProjectRole>> {
  const rows = await db
    .selectFrom('members')
    .select(['org', 'project', 'role'])
    .where('user_name', '=', user)
    .execute();
  return new Map(rows.map((row) => [`${row.org}/${row.project}`, row.role]));
}
