import { type Expression, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import type { Db, JobRow, Schema, TransitionRow } from '../../../db/schema.ts';
import type { Caller } from '../../deps.ts';
import { flag, repeated } from '../../route.ts';

const status = z.enum(['pending', 'suspended', 'running', 'succeeded', 'failed', 'cancelled']);
const time = z.iso.datetime({ offset: true, local: true, message: 'expected a time such as 2026-01-31T12:00:00Z' });

export const jobListQuery = z.object({
  status: repeated(status),
  name: z.string().optional(),
  owner: repeated(z.string()),
  /** A job must have all of them. */
  tag: repeated(z.string()),
  since: time.optional(),
  until: time.optional(),
  cluster_name: z.string().optional(),
  org_name: repeated(z.string()),
  project_name: repeated(z.string()),
  /** Newest first. */
  reverse: flag,
  limit: z.coerce.number().int().positive().optional(),
  materialized: flag,
  being_dropped: flag,
  logs_removed: flag,
});
export type JobListQuery = z.infer<typeof jobListQuery>;

const BATCH = 200;

export interface ListedJob {
  readonly row: JobRow;
  readonly transitions: readonly TransitionRow[];
}

/** Jobs that the caller may see, batch by batch: memory does not grow with their number. */
export async function* listJobs(db: Db, caller: Caller, query: JobListQuery): AsyncGenerator<readonly ListedJob[]> {
  // Nothing is dropped and no log is removed in this release.
  if (query.being_dropped === true || query.logs_removed === true) return;
  const direction = query.reverse === true ? 'desc' : 'asc';
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  for (let last: string | undefined; left > 0; ) {
    let select = visible(filtered(db.selectFrom('jobs').selectAll(), query), caller);
    if (last !== undefined) {
      // By the row itself: a Date has milliseconds, the column microseconds.
      const after = sql<SqlBool>`(created_at, id) ${sql.raw(direction === 'asc' ? '>' : '<')}
        (select created_at, id from jobs where id = ${last})`;
      select = select.where(after);
    }
    const size = Math.min(BATCH, left);
    const rows = await select.orderBy('created_at', direction).orderBy('id', direction).limit(size).execute();
    if (rows.length > 0) yield await withTransitions(db, rows);
    if (rows.length < size) return;
    left -= rows.length;
    last = rows.at(-1)?.id;
  }
}

type JobQuery = SelectQueryBuilder<Schema, 'jobs', JobRow>;

function filtered(select: JobQuery, query: JobListQuery): JobQuery {
  let result = select;
  if (query.status.length > 0) result = result.where('status', 'in', [...query.status]);
  if (query.name !== undefined) result = result.where('name', '=', query.name);
  if (query.owner.length > 0) result = result.where('owner', 'in', [...query.owner]);
  if (query.tag.length > 0) result = result.where(sql<SqlBool>`tags @> ${[...query.tag]}::text[]`);
  if (query.since !== undefined) result = result.where('created_at', '>=', new Date(query.since));
  if (query.until !== undefined) result = result.where('created_at', '<=', new Date(query.until));
  if (query.cluster_name !== undefined) result = result.where('cluster', '=', query.cluster_name);
  if (query.org_name.length > 0) result = result.where('org', 'in', [...query.org_name]);
  if (query.project_name.length > 0) result = result.where('project', 'in', [...query.project_name]);
  if (query.materialized !== undefined) {
    result = result.where('phase', query.materialized ? 'not in' : 'in', ['queued', 'gone']);
  }
  return result;
}

function visible(select: JobQuery, caller: Caller): JobQuery {
  if (caller.admin) return select;
  const projects = [...caller.roles.keys()];
  return select.where(
    (eb): Expression<SqlBool> =>
      projects.length === 0 ? sql<SqlBool>`false` : eb(sql<string>`org || '/' || project`, 'in', projects),
  );
}

export async function withTransitions(db: Db, rows: readonly JobRow[]): Promise<readonly ListedJob[]> {
  const ids = rows.map((row) => row.id);
  const all = await db
    .selectFrom('job_transitions')
    .selectAll()
    .where('job', 'in', ids)
    .orderBy('job')
    .orderBy('seq')
    .execute();
  const byJob = Map.groupBy(all, (transition) => transition.job);
  return rows.map((row) => ({ row, transitions: byJob.get(row.id) ?? [] }));
}
