import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { DelosError } from '@delos/core';
import { sql } from 'kysely';
import type { Db } from './schema.ts';
import { inTurn, type Turn } from './turns.ts';

// Beside this file, and beside the bundle in the image.
const FOLDER = new URL('./migrations/', import.meta.url);
/** Any constant that nothing else in this database locks. */
const LOCK = 0x64656c6f;

const namesIn = async (folder: URL): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort();

/** Migrations of this release that the database lacks: all of them where it is new. */
export async function missingMigrations(db: Db, folder: URL = FOLDER): Promise<readonly string[]> {
  const names = await namesIn(folder);
  const { rows } = await sql<{ there: boolean }>`select to_regclass('schema_migrations') is not null as there`.execute(
    db,
  );
  if (rows[0]?.there !== true) return names;
  const applied = await sql<{ name: string }>`select name from schema_migrations`.execute(db);
  const known = new Set(applied.rows.map(({ name }) => name));
  return names.filter((name) => !known.has(name));
}

/**
 * Applies the numbered .sql files that are not applied yet, each in a transaction. Of several at once one does the work, and
 * the others wait for it.
 * @param turn how the others wait
 * @returns the names applied now
 * @throws DelosError ERR_INTERNAL when an applied file was changed afterwards, ERR_TIMEOUT when another takes too long
 */
export async function migrate(db: Db, folder: URL = FOLDER, turn: Turn = {}): Promise<readonly string[]> {
  const names = await namesIn(folder);
  return inTurn(db, sql`${LOCK}::bigint`, 'been at the tables', turn, async (connection) => {
    await sql`create table if not exists schema_migrations
      (name text primary key, sha256 text not null, applied_at timestamptz not null default now())`.execute(connection);
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
  });
}
