import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import type { FlowAttemptRow, FlowBakeRow } from '../../../db/flow/tables.ts';
import type { Db } from '../../../db/schema.ts';
import type { Sized } from '../../../db/within-bytes.ts';
import { objectId, shortText, time } from '../../flow/fields.ts';
import { pagesOf } from '../../flow/lists.ts';
import { flag, repeated } from '../../route.ts';
import { lastAttempts } from './json.ts';

export const bakeListQuery = z.object({
  project_id: objectId,
  name: shortText.optional(),
  /** A bake must have all of them. */
  tags: repeated(shortText),
  since: time.optional(),
  until: time.optional(),
  /** Newest first. */
  reverse: flag,
  fetch_last_attempt: flag,
});
export type BakeListQuery = z.infer<typeof bakeListQuery>;

export interface ListedBake {
  readonly row: FlowBakeRow;
  readonly last: FlowAttemptRow | undefined;
}

/** Bakes of a flow, as they were made. */
export async function* listBakes(db: Db, flow: string, query: BakeListQuery): AsyncGenerator<readonly ListedBake[]> {
  const way = sql.raw(query.reverse === true ? 'desc' : 'asc');
  const beyond = sql.raw(query.reverse === true ? '<' : '>');
  const pages = pagesOf<FlowBakeRow, 'flow_bakes'>(db, sql`created_at ${way}, id ${way}`, (last) =>
    db
      .selectFrom('flow_bakes')
      .selectAll()
      .select(
        sql<number>`pg_column_size(graphs #> '{}') + pg_column_size(params #> '{}') + pg_column_size(meta #> '{}')
          + octet_length(array_to_string(tags, '')) + 1000`.as('size'),
      )
      .where('flow', '=', flow)
      // By the row itself: a Date has milliseconds, the column microseconds.
      .$if(last !== undefined, (select) =>
        select.where(
          sql<SqlBool>`(created_at, id) ${beyond} (select created_at, id from flow_bakes where id = ${last?.id ?? ''})`,
        ),
      )
      .$if(query.name !== undefined, (select) => select.where('name', '=', query.name ?? ''))
      .$if(query.tags.length > 0, (select) => select.where(sql<SqlBool>`tags @> ${[...query.tags]}::text[]`))
      .$if(query.since !== undefined, (select) => select.where('created_at', '>=', new Date(query.since ?? 0)))
      .$if(query.until !== undefined, (select) => select.where('created_at', '<=', new Date(query.until ?? 0)))
      .$castTo<Sized<FlowBakeRow>>(),
  );
  for await (const rows of pages) {
    const ids = query.fetch_last_attempt === true ? rows.map(({ id }) => id) : [];
    const last = await lastAttempts(db, ids);
    yield rows.map((row) => ({ row, last: last.get(row.id) }));
  }
}
