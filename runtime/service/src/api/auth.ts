import { createHash } from 'node:crypto';
import { DelosError } from '@delos/core';
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { sql } from 'kysely';
import { z } from 'zod';
import { runPrepared } from '../db/prepared.ts';
import type { Db } from '../db/schema.ts';
import { isJobToken, userOfJobToken } from '../db/secrets/job-tokens.ts';
import { isAccountToken, userOfAccountToken } from '../db/tenancy/account-tokens.ts';
import { HELD, rightsIn } from '../db/tenancy/held.ts';
import { bindFirstAccount } from '../db/users.ts';
import type { Caller } from './deps.ts';
import type { ProviderLogins } from './provider-logins.ts';

export interface TokenSettings {
  readonly issuer: string;
  /** Where the issuer's public keys are. */
  readonly jwksUrl: string;
  /** Client that tokens are for: one of `aud`. */
  readonly audience: string;
  /** Clients that tokens are made by: `azp`. */
  readonly clients: readonly string[];
  /** User name of the platform's administrator. */
  readonly admin: string;
  /**
   * True where the identity provider is not the platform's own: the first account that comes with a user's name is
   * that user for good. Otherwise accounts are known beforehand, and no other is taken.
   */
  readonly bindFirstAccount: boolean;
  /** Whether jobs' own tokens are taken as well. @default false */
  readonly ofJobs?: boolean;
  /** Identity providers of delos.yaml. @default there are none */
  readonly providers?: ProviderLogins;
}

const claims = z.object({
  sub: z.string().min(1).max(255),
  identity: z.string().regex(/^[\x21-\x7e]+$/),
  /** Keycloak signs access, ID and logout tokens with one key, for the same client; this tells them apart. */
  typ: z.string().optional(),
  azp: z.string().optional(),
  aud: z.union([z.string(), z.array(z.string())]).optional(),
  jti: z.string().optional(),
  /** When the person showed who they are: seconds since 1970. Later tokens of the same login keep it. */
  auth_time: z.number().optional(),
  /** The session of that login. */
  sid: z.string().max(255).optional(),
});

// Asymmetric ones only: a public key must never pass for a shared secret.
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA'];

// Codes of jose that tell of the key set, not of the token.
const KEYS_UNREADABLE: ReadonlySet<string> = new Set(['ERR_JWKS_TIMEOUT', 'ERR_JWKS_INVALID', 'ERR_JOSE_GENERIC']);

const LOG_IN = 'log in again: apolo login, or apolo config login-with-token TOKEN URL';

/** Checks bearer tokens: signature, issuer, kind, audience, expiry, revocation; then finds the user by subject. */
export function authenticator(db: Db, settings: TokenSettings): (header: string | undefined) => Promise<Caller> {
  const byId = callersById(db, settings.admin);
  const callerOfJob = async (token: string): Promise<Caller> => {
    const user = await userOfJobToken(db, token);
    if (user !== undefined) return byId(user);
    throw unauthenticated('the token was a job’s, and its job has ended');
  };
  const keys = createRemoteJWKSet(new URL(settings.jwksUrl), { timeoutDuration: 5_000, cooldownDuration: 10_000 });
  const signed = new SignedTokens((token) => verified(token, keys, settings.issuer));
  return async (header) => {
    const token = /^Bearer +(\S+)$/i.exec(header ?? '')?.[1];
    if (token === undefined) throw unauthenticated('the request carries no bearer token');
    if (settings.ofJobs === true && isJobToken(token)) return callerOfJob(token);
    if (isAccountToken(token)) return byId(await userOfAccountToken(db, token));
    const payload = await signed.payloadOf(token);
    const parsed = claims.safeParse(payload);
    if (!parsed.success) {
      const claim = String(parsed.error.issues[0]?.path[0] ?? 'sub');
      throw unauthenticated(`the token has no valid claim "${claim}", which says whose it is`);
    }
    const { typ, azp, aud } = parsed.data;
    if (typ !== 'Bearer') {
      throw unauthenticated(`the token is of type ${JSON.stringify(typ ?? 'none')}, and not an access token`);
    }
    if (![aud].flat().includes(settings.audience) || azp === undefined || !settings.clients.includes(azp)) {
      const made = azp !== undefined && !settings.clients.includes(azp) ? azp : aud;
      throw unauthenticated(`the token was made for ${JSON.stringify(made ?? 'nobody')}, not for ${settings.audience}`);
    }
    return callerOf(db, settings, parsed.data);
  };
}

/** No longer than the keys themselves are kept. */
const SIGNED_MS = 30_000;
const MOST_SIGNED = 2_000;

/** Tokens whose signature was checked just now: a client asks many times with one. What the database says of them is asked each time. */
class SignedTokens {
  readonly #verify: (token: string) => Promise<JWTPayload>;
  readonly #known = new Map<string, { readonly payload: JWTPayload; readonly until: number }>();

  constructor(verify: (token: string) => Promise<JWTPayload>) {
    this.#verify = verify;
  }

  async payloadOf(token: string): Promise<JWTPayload> {
    // The token itself is not kept.
    const name = createHash('sha256').update(token).digest('base64');
    const known = this.#known.get(name);
    const now = Date.now();
    if (known !== undefined && now < known.until) return known.payload;
    const payload = await this.#verify(token);
    this.#known.delete(name);
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= MOST_SIGNED) this.#known.delete(oldest);
    this.#known.set(name, { payload, until: Math.min(now + SIGNED_MS, (payload.exp ?? 0) * 1000) });
    return payload;
  }
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

/** @throws DelosError ERR_UNAUTHENTICATED for an account that is no user's, or no longer */
async function callerOf(
  db: Db,
  settings: TokenSettings,
  { sub, identity, auth_time: loggedIn, sid: session, jti }: z.infer<typeof claims>,
): Promise<Caller> {
  const { providers } = settings;
  let rows = await rightsOf(db, 'subject', sub, jti);
  if (rows.length === 0 && settings.bindFirstAccount) {
    await bindFirstAccount(db, identity, sub);
    // Another request of the same account may have been faster.
    rows = await rightsOf(db, 'subject', sub, jti);
  }
  if (rows[0]?.revoked === true) throw unauthenticated('the token was revoked');
  const login = { at: loggedIn, session };
  if (providers?.isNews(sub, rows[0], login) === true) {
    await providers.look(sub, login);
    rows = await rightsOf(db, 'subject', sub, jti);
  }
  const caller = callerIn(rows, settings.admin, identity, providers !== undefined);
  const provider = rows[0]?.provider ?? null;
  const ended = provider === null ? undefined : providers?.hasEnded(provider, loggedIn);
  if (ended !== undefined) throw unauthenticated(ended);
  return caller;
}

/** Finds a user by the id that does not change, for those who hold a token of ours with it. */
export function callersById(db: Db, admin: string): (id: number) => Promise<Caller> {
  return async (id) => callerIn(await rightsOf(db, 'id', id), admin, String(id));
}

/** @throws DelosError ERR_UNAUTHENTICATED */
function callerIn(rows: Awaited<ReturnType<typeof rightsOf>>, admin: string, shown: string, byGroups = false): Caller {
  const [user] = rows;
  if (user === undefined || user.removed_at !== null) {
    const why = user === undefined ? 'is not one of this platform' : 'was removed from this platform';
    const more = byGroups ? ', or says there what a group of an identity provider gives' : '';
    throw new DelosError('ERR_UNAUTHENTICATED', `the account of ${JSON.stringify(shown)} ${why}`, {
      hint: `the administrator adds users in delos.yaml${more}`,
    });
  }
  return { id: user.id, user: user.name, admin: user.name === admin, ...rightsIn(rows) };
}

/** One row for each thing that the user has; at least one for whoever is known. @param jti of a token that may have been revoked */
async function rightsOf(db: Db, by: 'subject' | 'id', value: string | number, jti?: string) {
  const query = db
    .selectFrom('users')
    .leftJoinLateral(HELD.as('held'), (join) => join.onTrue())
    .select(['users.id', 'users.name', 'users.removed_at', 'users.provider', 'users.looked_at'])
    .select(['held.what', 'held.org', 'held.project', 'held.role'])
    .select(
      sql<boolean>`exists (select from issued_tokens where jti = ${jti ?? null} and revoked_at is not null)`.as(
        'revoked',
      ),
    )
    .where(`users.${by}`, '=', value);
  return runPrepared(db, query);
}
