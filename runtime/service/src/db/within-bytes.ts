import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { Db, Schema, Tx } from './schema.ts';

/**
 * A row with its own size in bytes. Of a JSON column: `pg_column_size(column #> '{}')`, which is the size of the unpacked
 * value, where `pg_column_size(column)` is that of the compressed one.
 */
export type Sized<O> = O & { readonly size: number };

export interface Page<O> {
  readonly rows: readonly O[];
  /** The query has rows after these. */
  readonly more: boolean;
}

const FIRST_ROWS = 25;
const MOST_ROWS = 200;

/**
 * How many rows the next page asks for. PostgreSQL measures each of them, also those that do not fit: after a page that
 * was full of long rows few are asked for.
 */
export function nextLimit(before?: { readonly limit: number; readonly rows: number }): number {
  if (before === undefined) return FIRST_ROWS;
  return before.rows === before.limit ? Math.min(MOST_ROWS, before.limit * 4) : before.rows + 1;
}

/**
 * Rows from the beginning of an ordered, limited query, as many as fit into `budget` bytes, and at least one: what a
 * page takes in memory does not depend on what its rows hold.
 *
 * @param order the order of `query`, which ends in a unique column
 * @param limit the limit of `query`
 */
export async function withinBytes<O, Table extends keyof Schema = 'jobs'>(
  db: Db | Tx,
  query: SelectQueryBuilder<Schema, Table, Sized<O>>,
  { order, limit, budget }: { readonly order: RawBuilder<unknown>; readonly limit: number; readonly budget: number },
): Promise<Page<O>> {
  const { rows } = await sql<O & { readonly found: number }>`
    select * from (
      select page.*, sum(size) over (order by ${order}) as upto, count(*) over () as found from (${query}) as page
    ) as summed
    where upto - size < ${budget} order by ${order}`.execute(db);
  const found = rows[0]?.found ?? 0;
  return { rows, more: rows.length < found || found === limit };
}
