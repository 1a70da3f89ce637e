import { jobStatus, LIVE_STATUSES, PHASES_WITHOUT_POD, TERMINAL } from '@delos/core';
import { type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { runPrepared } from '../../../db/prepared.ts';
import type { Db, Schema, TransitionRow } from '../../../db/schema.ts';
import { nextLimit, type Page, type Sized, withinBytes } from '../../../db/within-bytes.ts';
import type { Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import { flag, repeated } from '../../route.ts';
import type { RenderedJobs } from './rendered.ts';
import { COLUMNS, type JobVersion, type ShownJob, VERSION } from './shown.ts';

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
/** Most jobs of one page. */
const PAGE_ROWS = 200;
/** Jobs that are read at once for the first page: PostgreSQL measures each of them. Clients show as many, unless asked for more. */
const FIRST_READ = 50;
/** A job's history shows its first entry and this many of the newest ones. */
const TRANSITIONS = 50;
/** Characters that are shown of one text of an entry. */
const TRANSITION_TEXT = 1_000;

/** Texts of jobs, each one JSON object. */
export interface JobPage {
  readonly texts: readonly Buffer[];
  /** There may be pages after this one. */
  readonly more: boolean;
}

/**
 * Jobs that the caller may see, page by page: memory grows neither with their number nor with what they hold. Which ones they are is asked
 * first; what stands in them is read of those alone whose text is not kept.
 */
export async function* listJobs(
  db: Db,
  caller: Caller,
  { query, rendered }: { readonly query: JobListQuery; readonly rendered: RenderedJobs },
): AsyncGenerator<JobPage> {
  // Nothing is dropped in this release.
  if (query.being_dropped === true) return;
  const direction = query.reverse === true ? 'desc' : 'asc';
  const narrowed = <O>(select: JobQuery<O>): JobQuery<O> => visible(filtered(select, query), caller);
  const order = sql`created_at ${sql.raw(direction)}, id ${sql.raw(direction)}`;
  let left = query.limit ?? Number.POSITIVE_INFINITY;
  let most = FIRST_READ;
  for (let last: string | undefined; left > 0; ) {
    const limit = Math.min(PAGE_ROWS, left);
    let select = narrowed(db.selectFrom('jobs').select(['id', VERSION]));
    if (last !== undefined) {
      // By the row itself: a Date has milliseconds, the column microseconds.
      const after = sql<SqlBool>`(created_at, id) ${sql.raw(direction === 'asc' ? '>' : '<')}
        (select created_at, id from jobs where id = ${last})`;
      select = select.where(after);
    }
    const found = await runPrepared(db, select.orderBy('created_at', direction).orderBy('id', direction).limit(limit));
    const read = async (ids: readonly string[], budget: number): Promise<Page<ShownJob & JobVersion>> => {
      const rows = narrowed(shown(db)).where('id', 'in', ids);
      const ordered = rows.orderBy('created_at', direction).orderBy('id', direction);
      return withinBytes<ShownJob & JobVersion>(db, ordered, { order, limit: ids.length + 1, budget });
    };
    const { texts, taken, missed } = await textsOf(db, found, { rendered, read, most });
    last = found[taken - 1]?.id;
    const more = last !== undefined && (taken < found.length || found.length === limit) && texts.length < left;
    if (texts.length > 0 || !more) yield { texts, more };
    if (!more) return;
    left -= texts.length;
    if (missed !== undefined && missed.asked === most) most = nextLimit({ limit: most, rows: missed.read });
  }
}

interface Reading {
  readonly rendered: RenderedJobs;
  /** As many of these jobs as fit into so many bytes, in their order, and at least one; without those that are no longer to be listed. */
  readonly read: (ids: readonly string[], budget: number) => Promise<Page<ShownJob & JobVersion>>;
  /** How many it may be asked for at once. */
  readonly most: number;
}

interface Texts {
  readonly texts: readonly Buffer[];
  /** Of the jobs, from the first on. */
  readonly taken: number;
  /** How many had to be read, and were. */
  readonly missed?: { readonly asked: number; readonly read: number };
}

/** The texts of as many of these jobs as fit into a page, at least of one. */
async function textsOf(db: Db, found: readonly JobVersion[], { rendered, read, most }: Reading): Promise<Texts> {
  const texts = new Map<string, Buffer>();
  const missing: string[] = [];
  let bytes = 0;
  let taken = 0;
  for (const job of found) {
    const text = rendered.find(job);
    if (text === undefined) missing.push(job.id);
    else texts.set(job.id, text);
    taken += 1;
    bytes += text?.length ?? 0;
    if (bytes >= PAGE_BYTES || missing.length === most) break;
  }
  let missed: Texts['missed'];
  if (missing.length > 0) {
    const { rows, more } = await read(missing, Math.max(1, PAGE_BYTES - bytes));
    for (const { row, transitions } of await withTransitions(db, rows)) {
      texts.set(row.id, rendered.render(row, transitions));
    }
    missed = { asked: missing.length, read: rows.length };
    // Those after the last that was read are of the next page.
    if (more) taken = Math.min(taken, found.findIndex(({ id }) => id === rows.at(-1)?.id) + 1);
  }
  const page = found.slice(0, taken).flatMap(({ id }) => texts.get(id) ?? []);
  return { texts: page, taken, ...(missed === undefined ? {} : { missed }) };
}

const REPEATED = ['env', 'command', 'entrypoint'];

function shown(db: Db): JobQuery<Sized<ShownJob & JobVersion>> {
  return db
    .selectFrom('jobs')
    .select(COLUMNS)
    .select(VERSION)
    .select(sql<ShownJob['spec']>`spec - ${REPEATED}::text[]`.as('spec'))
    .select(
      sql<number>`pg_column_size(request #> '{}') + coalesce(octet_length(description), 0)
        + coalesce(octet_length(status_description), 0) + octet_length(array_to_string(tags, ''))`.as('size'),
    );
}

type JobQuery<O> = SelectQueryBuilder<Schema, 'jobs', O>;

function filtered<O>(select: JobQuery<O>, query: JobListQuery): JobQuery<O> {
  let result = select;
  if (query.status.length > 0) result = result.where(sql<SqlBool>`status = any (${[...query.status]}::text[])`);
  if (query.status.length > 0 && query.status.every((each) => !TERMINAL.has(each))) {
    // In the words of the index of jobs that are alive: a plan that is kept can use it.
    result = result.where(sql<SqlBool>`status in (${sql.join(LIVE_STATUSES.map((each) => sql.lit(each)))})`);
  }
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

function visible<O>(select: JobQuery<O>, caller: Caller): JobQuery<O> {
  if (caller.admin) return select;
  return select.where(ofProjects(caller, { kind: 'job', names: ['id', 'name'] }));
}

export async function withTransitions<Row extends ShownJob>(
  db: Db,
  rows: readonly Row[],
): Promise<readonly { readonly row: Row; readonly transitions: readonly TransitionRow[] }[]> {
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
