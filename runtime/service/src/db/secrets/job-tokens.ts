import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { TERMINAL } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { LiveSecret } from '../../live-secret.ts';
import type { Db, Tx } from '../schema.ts';
import { holdKey } from './key-lock.ts';
import { keyIdOf, rewrap, seal, unseal } from './sealing.ts';

/*
 * A job's own token. It has the form of a JWT (RFC 7519), since the official client reads the name in it; but nobody checks
 * its signature. It is known again by its digest, and good while its job lives. So no key has to be kept for it, and it ends
 * with the job by itself.
 */

/** Header `typ` of such tokens. No identity provider makes it. */
const TYPE = 'delos-job+jwt';

const placeOf = (job: string): string => ['job token', job].join('\0');
const digestOf = (token: string): string => createHash('sha256').update(token).digest('hex');
const encoded = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');

/** Makes the token of a new job. */
export async function makeJobToken(
  tx: Tx,
  keys: LiveSecret,
  { job, user }: { readonly job: string; readonly user: { readonly id: number; readonly user: string } },
): Promise<void> {
  const claims = { identity: user.user, job, jti: randomUUID(), iat: Math.floor(Date.now() / 1000) };
  const text = `${encoded({ alg: 'HS256', typ: TYPE })}.${encoded(claims)}`;
  const token = `${text}.${createHmac('sha256', randomBytes(32)).update(text).digest('base64url')}`;
  await holdKey(tx);
  const row = { job, user_id: user.id, digest: digestOf(token), ...seal(keys, placeOf(job), Buffer.from(token)) };
  await tx.insertInto('job_tokens').values(row).execute();
}

/** @returns undefined where there is none, or it cannot be decrypted */
export async function jobToken(db: Db | Tx, keys: LiveSecret, job: string): Promise<string | undefined> {
  const row = await db.selectFrom('job_tokens').selectAll().where('job', '=', job).executeTakeFirst();
  return row === undefined ? undefined : unseal(keys, placeOf(job), row)?.toString();
}

/** Whether a token says that it is a job's. Nothing is proved by that. */
export function isJobToken(token: string): boolean {
  try {
    return JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString()).typ === TYPE;
  } catch {
    return false;
  }
}

/** Whose token this is. @returns undefined for one that never was, or whose job has ended */
export async function userOfJobToken(db: Db, token: string): Promise<number | undefined> {
  const row = await db
    .selectFrom('job_tokens')
    .innerJoin('jobs', 'jobs.id', 'job_tokens.job')
    .select('job_tokens.user_id')
    .where('job_tokens.digest', '=', digestOf(token))
    .where(sql<SqlBool>`not jobs.status = any (${[...TERMINAL]}::text[])`)
    .executeTakeFirst();
  return row?.user_id;
}

/** Tokens of jobs that have ended go. */
export async function sweepJobTokens(db: Db): Promise<void> {
  await sql`delete from job_tokens using jobs
    where jobs.id = job_tokens.job and jobs.status = any (${[...TERMINAL]}::text[])`.execute(db);
}

/**
 * Encrypts tokens for the platform's current key. One that cannot be opened stays as it is: its job has it, or never will.
 * @returns how many were changed
 */
export async function rewrapJobTokens(tx: Tx, keys: LiveSecret): Promise<number> {
  const rows = await tx
    .selectFrom('job_tokens')
    .select(['job', 'wrapped_key', 'key_id'])
    .where('key_id', '<>', keyIdOf(keys.current()))
    .execute();
  let changed = 0;
  for (const row of rows) {
    const wrapped = rewrap(keys, placeOf(row.job), row);
    if (wrapped === undefined) continue;
    await tx.updateTable('job_tokens').set(wrapped).where('job', '=', row.job).execute();
    changed += 1;
  }
  return changed;
}
