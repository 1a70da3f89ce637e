import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError, ISSUER_CLIENT } from '@delos/core';
import { decodeJwt, SignJWT } from 'jose';
import { z } from 'zod';
import { type LiveSecret, liveOf } from '../live-secret.ts';
import { askWithEach } from './ask-with-each.ts';
import { issuerClientSecret, issuerKey } from './issuer-key.ts';
import { MAX_TOKEN_SECONDS, OPERATOR_ISSUER, OPERATOR_KEY_ID } from './realm.ts';

export interface IssuerSettings {
  /** `iss` of all tokens: the realm by its public URL. */
  readonly issuer: string;
  /** The realm as it is reached from here. */
  readonly realmUrl: string;
  /** While it is rotated Keycloak takes one of those that are accepted. */
  readonly secret: string | LiveSecret;
}

export interface IssuedToken {
  readonly token: string;
  readonly id: string;
  readonly user: string;
  readonly expiresAt: Date;
}

/** By this much clocks may differ: the control API takes a token so much longer. */
const MIN_SECONDS = 5;
const answer = z.object({ access_token: z.string() });
const refusal = z.object({ error: z.string(), error_description: z.string().optional() });
const claims = z.object({ jti: z.string(), identity: z.string(), exp: z.number() });

/**
 * A token of the realm for a user, good for that long: the platform asserts who the user is and until when
 * (RFC 7523), Keycloak makes the token. `offline_access` keeps Keycloak from cutting it to a browser session's length;
 * no refresh token comes with it.
 *
 * @throws DelosError ERR_USAGE for a lifetime outside 5 seconds to 10 years, ERR_NOT_FOUND for a user that there is not
 */
export async function issueToken(settings: IssuerSettings, user: string, ttlSeconds: number): Promise<IssuedToken> {
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < MIN_SECONDS || ttlSeconds > MAX_TOKEN_SECONDS) {
    throw new DelosError('ERR_USAGE', `a token lives for ${MIN_SECONDS} s to ${MAX_TOKEN_SECONDS / 86_400} days`, {
      hint: 'for example --ttl 12h',
    });
  }
  const response = await askWithEach(liveOf(settings.secret), (secret) =>
    askAgain(async () => {
      // Each assertion is good for one question.
      const assertion = await new SignJWT()
        .setProtectedHeader({ alg: 'EdDSA', kid: OPERATOR_KEY_ID })
        .setIssuer(OPERATOR_ISSUER)
        .setSubject(user)
        .setAudience(settings.issuer)
        .setIssuedAt()
        .setExpirationTime(`${ttlSeconds} seconds`)
        .setJti(randomUUID())
        .sign(issuerKey(secret).privateKey);
      return await ask(settings.realmUrl, {
        grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
        assertion,
        scope: 'offline_access',
        client_id: ISSUER_CLIENT,
        client_secret: issuerClientSecret(secret),
      });
    }),
  );
  if (!response.ok) throw refused(user, response.status, await response.text());
  const { access_token: token } = answer.parse(await response.json());
  const { jti: id, identity, exp } = claims.parse(decodeJwt(token));
  return { token, id, user: identity, expiresAt: new Date(exp * 1000) };
}

/** Keycloak may still have connections of before to a database that was started again, and answers 400 then. A question a second. */
const MOST_QUESTIONS = 10;

/** The answer, once it is none of a database that has just come back. */
async function askAgain(question: () => Promise<Response>): Promise<Response> {
  for (let asked = 1; ; asked++) {
    const response = await question();
    if (response.ok || asked === MOST_QUESTIONS) return response;
    if (!/database operation failed/i.test(await response.clone().text())) return response;
    await sleep(1000);
  }
}

/** A Keycloak that is started again, as it is where the password of its database is rotated, takes no connection meanwhile. */
const START_MS = 30_000;

async function ask(realmUrl: string, form: Readonly<Record<string, string>>): Promise<Response> {
  const end = performance.now() + START_MS;
  try {
    for (;;) {
      try {
        return await fetch(`${realmUrl}/protocol/openid-connect/token`, {
          method: 'POST',
          body: new URLSearchParams(form),
          signal: AbortSignal.timeout(START_MS),
        });
      } catch (cause) {
        // Of one that took the question nobody knows what it did.
        if (!isRefused(cause) || performance.now() > end) throw cause;
        await sleep(1000);
      }
    }
  } catch (cause) {
    throw new DelosError('ERR_TIMEOUT', `Keycloak does not answer at ${realmUrl}`, {
      hint: '`delos logs keycloak` tells why',
      cause,
    });
  }
}

const isRefused = (error: unknown): boolean =>
  error instanceof Error && z.object({ code: z.literal('ECONNREFUSED') }).safeParse(error.cause).success;

function refused(user: string, status: number, body: string): DelosError {
  let why = body.slice(0, 200);
  try {
    const { error, error_description: description } = refusal.parse(JSON.parse(body));
    why = description ?? error;
  } catch {
    // Not OAuth's JSON: its own text is all there is.
  }
  if (/user/i.test(why)) {
    return new DelosError('ERR_NOT_FOUND', `there is no user ${JSON.stringify(user)} who may log in (${why})`, {
      hint: 'users are the admin and those in `users` of delos.yaml',
    });
  }
  return new DelosError('ERR_REQUEST', `Keycloak did not issue a token: ${status} ${why}`, {
    hint: '`delos logs keycloak` tells why',
  });
}
