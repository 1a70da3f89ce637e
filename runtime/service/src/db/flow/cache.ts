import { randomUUID } from 'node:crypto';
import type { TaskLineage } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../schema.ts';
import { holdFlow } from './bakes.ts';
import { MOST_CACHE_BYTES, MOST_CACHE_ENTRIES } from './limits.ts';
import type { FlowCacheEntryRow, Texts } from './tables.ts';

export interface NewCacheEntry {
  readonly flow: string;
  readonly batch: string;
  /** Full id. */
  readonly taskId: string;
  readonly key: string;
  readonly outputs: Texts;
  readonly state: Texts;
  readonly rawId: string;
  /** Where it comes from. @default a client's executor, which does not say */
  readonly lineage?: TaskLineage;
}

/** Keeps what a task has given, or renews it. The oldest entries of the flow go, where it has too many. */
export async function putCacheEntry(
  tx: Tx,
  entry: NewCacheEntry,
  most: { readonly entries: number; readonly bytes: number } = {
    entries: MOST_CACHE_ENTRIES,
    bytes: MOST_CACHE_BYTES,
  },
): Promise<FlowCacheEntryRow> {
  await holdFlow(tx, entry.flow);
  const before = await tx
    .selectFrom('flow_cache_entries')
    .select('bytes')
    .where('flow', '=', entry.flow)
    .where('batch', '=', entry.batch)
    .where('task_id', '=', entry.taskId)
    .where('key', '=', entry.key)
    .executeTakeFirst();
  const [outputs, state] = [JSON.stringify(entry.outputs), JSON.stringify(entry.state)];
  const lineage = entry.lineage === undefined ? null : JSON.stringify(entry.lineage);
  const bytes = Buffer.byteLength(outputs + state + (lineage ?? ''));
  const said = { outputs, state, lineage, raw_id: entry.rawId, bytes };
  const row = await tx
    .insertInto('flow_cache_entries')
    .values({
      id: `cache-entry-${randomUUID()}`,
      flow: entry.flow,
      batch: entry.batch,
      task_id: entry.taskId,
      key: entry.key,
      ...said,
    })
    .onConflict((on) =>
      on.columns(['flow', 'batch', 'task_id', 'key']).doUpdateSet({ ...said, created_at: sql<Date>`now()` }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
  const held = await count(tx, entry.flow, before === undefined ? 1 : 0, said.bytes - (before?.bytes ?? 0));
  if (held.entries > most.entries || held.bytes > most.bytes) await forgetOldest(tx, entry.flow, most);
  return row;
}

/** Forgets entries of a flow; of one batch, or of one task of it. */
export async function clearCache(
  tx: Tx,
  flow: string,
  only: { readonly batch?: string | undefined; readonly taskId?: string | undefined } = {},
): Promise<void> {
  await holdFlow(tx, flow);
  const gone = await tx
    .deleteFrom('flow_cache_entries')
    .where('flow', '=', flow)
    .$if(only.batch !== undefined, (query) => query.where('batch', '=', only.batch ?? ''))
    .$if(only.taskId !== undefined, (query) => query.where('task_id', '=', only.taskId ?? ''))
    .returning('bytes')
    .execute();
  await count(tx, flow, -gone.length, -gone.reduce((sum, { bytes }) => sum + bytes, 0));
}

async function forgetOldest(
  tx: Tx,
  flow: string,
  most: { readonly entries: number; readonly bytes: number },
): Promise<void> {
  const { rows } = await sql<{ bytes: number }>`
    delete from flow_cache_entries where id in (
      select id from (
        select id, row_number() over newest as place, sum(bytes) over newest as upto
        from flow_cache_entries where flow = ${flow} window newest as (order by created_at desc, id desc)
      ) as placed
      -- A tenth less than the most, so that not every entry looks through all of them.
      where place > ${Math.ceil(most.entries * 0.9)} or upto > ${most.bytes}::bigint / 10 * 9
    ) returning bytes`.execute(tx);
  await count(tx, flow, -rows.length, -rows.reduce((sum, { bytes }) => sum + bytes, 0));
}

async function count(
  tx: Tx,
  flow: string,
  entries: number,
  bytes: number,
): Promise<{ readonly entries: number; readonly bytes: number }> {
  return tx
    .updateTable('flow_projects')
    .set((eb) => ({
      cache_entries: eb('cache_entries', '+', entries),
      cache_bytes: eb('cache_bytes', '+', bytes),
    }))
    .where('id', '=', flow)
    .returning(['cache_entries as entries', 'cache_bytes as bytes'])
    .executeTakeFirstOrThrow();
}
