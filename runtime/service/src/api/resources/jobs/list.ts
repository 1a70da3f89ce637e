import { jobStatus, PHASES_WITHOUT_POD } from '@delos/core';
import { type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import type { Db, JobRow, Schema, TransitionRow } from '../../../db/schema.ts';
import { nextLimit, type Sized, withinBytes } from '../../../db/within-bytes.ts';
import type { Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import { flag, repeated } from '../../route.ts';

const time = z.iso.datetime({ offset: true, local: true, message: 'expected a time such as 2026-01-31T12:00:00Z' });

export const jobListQuery = z.object({
  status: repeated(jobStatus),
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

/** Bytes of the texts of one read: what listing takes in memory, whatever the rows hold. */
const PAGE_BYTES = 256 * 1024;
/** A job's history shows its first entry and this many of the newest ones. */
const TRANSITIONS = 50;
/** Characters that are shown of one text of an entry. */
const TRANSITION_TEXT = 1_000;

const COLUMNS = [
  'id',
  'cluster',
  'org',
  'project',
  'owner',
  'name',
  'preset',
  'request',
  'description',
  'tags',
  'priority',
  'phase',
  'status',
  'reason',
  'status_description',
  'exit_code',
  'restarts',
  'preemptible',
  'ran_seconds',
  'stand_in',
  'credits_per_hour',
  'schedule_timeout',
  'max_run_time_minutes',
  'created_at',
  'first_started_at',
  'started_at',
  'finished_at',
  'logs_removed',
] as const;

/** The columns of a job that are shown. Most of the specification is left out: the request holds it too. */
export type ShownJob = Pick<JobRow, (typeof COLUMNS)[number]> & {
  readonly spec: Pick<JobRow['spec'], 'namespace' | 'image' | 'security' | 'restartPolicy' | 'resources' | 'secrets'>;
};

export interface ListedJob {
  readonly row: ShownJob;
  readonly transitions: readonly TransitionRow[];
}

/** Jobs that the caller may see, page by page: memory grows neither with their number nor with what they hold. */
export async function* listJobs(db: Db, caller: Caller, query: JobListQuery): AsyncGenerator<readonly ListedJob[]> {
  // Nothing is dropped in this release.
  if (query.being_dropped === true) return;
  const direction = query.reverse === true ? 'desc' : 'asc';
  const way = sql.raw(direction);
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  let most = nextLimit();
  for (let last: string | undefined; left > 0; ) {
    let select = visible(filtered(shown(db), query), caller);
    if (last !== undefined) {
      // By the row itself: a Date has milliseconds, the column microseconds.
      const after = sql<SqlBool>`(created_at, id) ${sql.raw(direction === 'asc' ? '>' : '<')}
        (select created_at, id from jobs where id = ${last})`;
      select = select.where(after);
    }
    const limit = Math.min(most, left);
    const ordered = select.orderBy('created_at', direction).orderBy('id', direction).limit(limit);
    const order = sql`created_at ${way}, id ${way}`;
    const { rows, more } = await withinBytes<ShownJob>(db, ordered, { order, limit, budget: PAGE_BYTES });
    if (rows.length > 0) yield await withTransitions(db, rows);
    last = rows.at(-1)?.id;
    if (!more || last === undefined) return;
    left -= rows.length;
    most = nextLimit({ limit, rows: rows.length });
  }
}

const REPEATED = ['env', 'command', 'entrypoint'];

function shown(db: Db): JobQuery {
  return db
    .selectFrom('jobs')
    .select(COLUMNS)
    .select(sql<ShownJob['spec']>`spec - ${REPEATED}::text[]`.as('spec'))
    .select(
      sql<number>`pg_column_size(request #> '{}') + coalesce(octet_length(description), 0)
        + coalesce(octet_length(status_description), 0) + octet_length(array_to_string(tags, ''))`.as('size'),
    );
}

type JobQuery = SelectQueryBuilder<Schema, 'jobs', Sized<ShownJob>>;

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
  if (query.logs_removed !== undefined) result = result.where('logs_removed', '=', query.logs_removed);
  if (query.materialized !== undefined) {
    result = result.where('phase', query.materialized ? 'not in' : 'in', PHASES_WITHOUT_POD);
  }
  return result;
}

function visible(select: JobQuery, caller: Caller): JobQuery {
  if (caller.admin) return select;
  return select.where(ofProjects(caller, { kind: 'job', names: ['id', 'name'] }));
}

export async function withTransitions(db: Db, rows: readonly ShownJob[]): Promise<readonly ListedJob[]> {
  const ids = rows.map((row) => row.id);
  const { rows: all } = await sql<TransitionRow>`
    select job, seq, status, reason, left(description, ${TRANSITION_TEXT}) as description, exit_code, at from (
      select *, row_number() over (partition by job order by seq desc) as age
      from job_transitions where job = any (${ids}::text[])
    ) as numbered
    where age <= ${TRANSITIONS} or seq = 1 order by job, seq`.execute(db);
  const byJob = Map.groupBy(all, (transition) => transition.job);
  return rows.map((row) => ({ row, transitions: byJob.get(row.id) ?? [] }));
}
