import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { Db } from './schema.ts';

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

/** One at a time changes the realm. The lock goes with the connection. */
export async function whileKeepingRealm<T>({ db }: Pick<Database, 'db'>, body: () => Promise<T>): Promise<T> {
  return db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(hashtext('delos realm'))`.execute(connection);
    try {
      return await body();
    } finally {
      await sql`select pg_advisory_unlock(hashtext('delos realm'))`.execute(connection);
    }
  });
}
