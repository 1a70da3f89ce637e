import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import type { Db } from './schema.ts';

// Beside this file, and beside the bundle in the image.
const FOLDER = new URL('./migrations/', import.meta.url);
/** Any constant that nothing else in this database locks. */
const LOCK = 0x64656c6f;

/**
 * Applies the numbered .sql files that are not applied yet, each in a transaction, under an advisory lock: several
 * at once do the work once.
 * @returns the names applied now
 * @throws DelosError ERR_INTERNAL when an applied file was changed afterwards
 */
export async function migrate(db: Db, folder: URL = FOLDER): Promise<readonly string[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort();
  return db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(${LOCK})`.execute(connection);
    try {
      await sql`create table if not exists schema_migrations
        (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`.execute(
        connection,
      );
      const rows = await sql<{ name: string; sha256: string }>`select name, sha256 from schema_migrations`.execute(
        connection,
      );
      const applied = new Map(rows.rows.map((row) => [row.name, row.sha256]));
      const done: string[] = [];
      for (const name of names) {
        const text = await readFile(new URL(name, folder), 'utf8');
        const sha256 = createHash('sha256').update(text).digest('hex');
        const before = applied.get(name);
        if (before === sha256) continue;
        if (before !== undefined) {
          throw new DelosError('ERR_INTERNAL', `migration ${name} was changed after it was applied to this database`, {
            hint: 'write a new migration instead; this release cannot be used with this database',
          });
        }
        await connection.transaction().execute(async (tx) => {
          await sql.raw(text).execute(tx);
          await sql`insert into schema_migrations (name, sha256) values (${name}, ${sha256})`.execute(tx);
        });
        done.push(name);
      }
      return done;
    } finally {
      await sql`select pg_advisory_unlock(${LOCK})`.execute(connection);
    }
  });
}
