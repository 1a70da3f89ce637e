import { sql } from 'kysely';
import { z } from 'zod';
import type { FlowAttemptRow, FlowBakeRow } from '../../../db/flow/tables.ts';
import type { Db } from '../../../db/schema.ts';
import { attemptJson, shownAttempt } from '../../flow/attempt-json.ts';

export const shownBake = z.object({
  id: z.string(),
  project_id: z.string(),
  batch: z.string(),
  created_at: z.string(),
  name: z.string().nullable(),
  tags: z.array(z.string()),
  meta: z.looseObject({ git_info: z.looseObject({}).nullable() }),
  graphs: z.record(z.string(), z.record(z.string(), z.array(z.string()))),
  params: z.record(z.string(), z.string()),
  /** Null where it was not asked for. */
  last_attempt: shownAttempt.nullable(),
});

/** A bake as the official client reads it. */
export const bakeJson = (row: FlowBakeRow, last: FlowAttemptRow | undefined): z.infer<typeof shownBake> => ({
  id: row.id,
  project_id: row.flow,
  batch: row.batch,
  created_at: row.created_at.toISOString(),
  name: row.name,
  tags: row.tags,
  meta: { git_info: row.meta.git_info },
  graphs: row.graphs as z.infer<typeof shownBake>['graphs'],
  params: row.params,
  last_attempt: last === undefined ? null : attemptJson(last),
});

/** The attempts with the highest numbers of these bakes, by the bake. */
export async function lastAttempts(db: Db, bakes: readonly string[]): Promise<ReadonlyMap<string, FlowAttemptRow>> {
  if (bakes.length === 0) return new Map();
  const rows = await db
    .selectFrom('flow_attempts')
    .distinctOn('bake')
    .selectAll()
    .where('bake', '=', sql<string>`any(${[...bakes]}::text[])`)
    .orderBy('bake')
    .orderBy('number', 'desc')
    .execute();
  return new Map(rows.map((row) => [row.bake, row]));
}
