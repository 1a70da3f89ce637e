import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import type { Db } from '../schema.ts';

/*
 * Tokens of service accounts. One has the form of a JWT (RFC 7519), since the official client reads the name in it; nobody checks its
 * signature. It is known again by its digest, and good until its end or the account's.
 */

/** Header `typ` of such tokens. No identity provider makes it. */
const TYPE = 'delos-service-account+jwt';

export const digestOfToken = (token: string): string => createHash('sha256').update(token).digest('hex');
const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** A new token of an account. Only its digest is kept. @param end when it is good no more */
export function makeAccountToken(user: string, end: Date): string {
  const seconds = (at: number): number => Math.floor(at / 1000);
  const claims = { identity: user, jti: randomUUID(), iat: seconds(Date.now()), exp: seconds(end.getTime()) };
  const text = `${encoded({ alg: 'HS256', typ: TYPE })}.${encoded(claims)}`;
  return `${text}.${createHmac('sha256', randomBytes(32)).update(text).digest('base64url')}`;
}

/** Whether a token says that it is a service account's. Nothing is proved by that. */
export function isAccountToken(token: string): boolean {
  try {
    return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).typ === TYPE;
  } catch {
    return false;
  }
}

/** As whom a token acts. @throws DelosError ERR_UNAUTHENTICATED for one that never was, was removed, or has ended */
export async function userOfAccountToken(db: Db, token: string): Promise<number> {
  const row = await db
    .selectFrom('service_accounts')
    .select(['user_id', 'expires_at'])
    .where('digest', '=', digestOfToken(token))
    .executeTakeFirst();
  if (row !== undefined && row.expires_at.getTime() > Date.now()) return row.user_id;
  const why =
    row === undefined ? 'it was removed, or never was' : `its token expired at ${row.expires_at.toISOString()}`;
  throw new DelosError('ERR_UNAUTHENTICATED', `this service account is not here: ${why}`, {
    hint: 'its owner makes a new one: apolo service-account create',
  });
}
