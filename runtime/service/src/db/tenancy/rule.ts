import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import { CONFIG_CHANGED } from '../notifications.ts';
import type { Tx } from '../schema.ts';

/*
 * The one rule of what delos.yaml says and what administrators make while the platform ran. A declared thing is the file's: a
 * change of it is refused with a sentence. All else is kept in the database, and no deployment touches it.
 */

/** Most of each that administrators make. */
export const MOST = { organizations: 1_000, projects: 200, members: 1_000, presets: 100 } as const;

/** After those of delos.yaml, in every list. */
export const LAST_PLACE = 1_000_000;

/** One change at a time, also beside a deployment. */
export async function holdTenancy(tx: Tx): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtext('delos apply config'))`.execute(tx);
}

/** Everybody who keeps rights, quotas or presets looks again, open streams among them. */
export async function tellChange(tx: Tx, cluster = ''): Promise<void> {
  await sql`select pg_notify(${CONFIG_CHANGED}, ${cluster})`.execute(tx);
}

/** @throws DelosError ERR_CONFLICT where delos.yaml says the thing */
export function refuseDeclared({ declared }: { readonly declared: boolean }, what: string): void {
  if (!declared) return;
  throw new DelosError('ERR_CONFLICT', `${what} is declared in delos.yaml, and only changed there`, {
    hint: 'change it there and run: delos up',
  });
}

export function isThere(what: string): DelosError {
  return new DelosError('ERR_CONFLICT', `${what} is there already`);
}

export function isNot(what: string): DelosError {
  return new DelosError('ERR_NOT_FOUND', `there is no ${what}, or it is not yours to see`);
}

/** @throws DelosError ERR_QUOTA_EXCEEDED */
export function refuseMore(count: number, most: number, what: string): void {
  if (count < most) return;
  throw new DelosError('ERR_QUOTA_EXCEEDED', `there are ${count} ${what}, the most`);
}
