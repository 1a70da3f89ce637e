import type { Compilable } from 'kysely';
import type pg from 'pg';
import type { Db, Tx } from './schema.ts';

/** Statements that may have a name. Each connection keeps each of them, with its plan. */
const MOST = 64;
/** Text of a statement → its name. */
const names = new Map<string, string>();

/**
 * Runs a statement that is asked all the time, and has PostgreSQL keep how it is read and planned: for one that joins many tables this takes
 * ten times as long as what it does. It must name its columns: one with `*` fails where a migration has added a column meanwhile.
 * Of texts beyond the first {@link MOST} nothing is kept.
 * @see https://www.postgresql.org/docs/17/sql-prepare.html
 */
export async function runPrepared<Row>(db: Db | Tx, query: Compilable<Row>): Promise<readonly Row[]> {
  const compiled = query.compile();
  if (!names.has(compiled.sql) && names.size < MOST) names.set(compiled.sql, `delos-${names.size}`);
  return (await db.executeQuery<Row>(compiled)).rows;
}

/** What Kysely asks of a connection. */
type Client = Pick<pg.PoolClient, 'query' | 'release'>;

const wrapped = new WeakMap<pg.PoolClient, Client>();

/** A connection that gives statements their names. The same for the same one: Kysely knows it by that. */
export function withNames(client: pg.PoolClient): Client {
  const known = wrapped.get(client);
  if (known !== undefined) return known;
  const query = (text: unknown, values?: readonly unknown[]): unknown => {
    const name = typeof text === 'string' ? names.get(text) : undefined;
    if (name === undefined) return Reflect.apply(client.query, client, [text, values]);
    return client.query({ name, text: String(text), values: [...(values ?? [])] });
  };
  const made: Client = { query: query as Client['query'], release: (destroy) => client.release(destroy) };
  wrapped.set(client, made);
  return made;
}
