import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { Db } from './schema.ts';
import { inTurn, type Turn } from './turns.ts';

/** Notes what the realm shall be from now on. */
export async function wantRealm(db: Db, digest: string): Promise<void> {
  await sql`insert into realm_wanted (digest) values (${digest})
    on conflict (single) do update set digest = excluded.digest`.execute(db);
}

/** Whether the realm shall be this: a keeper that was started with other settings would undo a newer deployment. */
export async function isRealmWanted(db: Db, digest: string): Promise<boolean> {
  const { rows } = await sql<{ digest: string }>`select digest from realm_wanted`.execute(db);
  return rows[0]?.digest === digest;
}

/** One at a time changes the realm; the others wait. @throws DelosError ERR_TIMEOUT */
export async function whileKeepingRealm<T>(
  { db }: Pick<Database, 'db'>,
  body: () => Promise<T>,
  turn: Turn = {},
): Promise<T> {
  return inTurn(db, sql`hashtext('delos realm')`, 'been at the realm', turn, body);
}
