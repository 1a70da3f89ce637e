import type { JobPodSpec } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Db, JobPhase, JobRow } from '../db/schema.ts';
import type { Clocked } from './clock.ts';
import { type ActiveJob, needsOf, type QueuedJob } from './model.ts';

const COLUMNS = [
  'id',
  'org',
  'project',
  'phase',
  'reason',
  'status_description',
  'priority',
  'pool',
  'pools',
  'node',
  'created_at',
  'admitted_at',
  'started_at',
  'phase_at',
  'schedule_timeout',
  'max_run_time_minutes',
] as const;

const WATCHED: readonly JobPhase[] = ['queued', 'admitted', 'running', 'stopping', 'ended'];
const PAGE = 500;

export interface MirroredJob extends Clocked {
  readonly queued: QueuedJob | undefined;
  readonly active: ActiveJob | undefined;
  readonly description: string | null;
}

/**
 * The jobs that matter to the scheduler, kept in memory: ten thousand waiting ones are not read again for each that
 * comes. Rows are the truth; what was notified is read again, and all of it on {@link reload}.
 */
export class JobMirror {
  readonly jobs = new Map<string, MirroredJob>();
  readonly #db: Db;
  readonly #cluster: string;

  constructor(db: Db, cluster: string) {
    this.#db = db;
    this.#cluster = cluster;
  }

  async reload(): Promise<void> {
    const seen = new Set<string>();
    for (let last = ''; ; ) {
      const rows = await this.#select().where('id', '>', last).orderBy('id').limit(PAGE).execute();
      for (const row of rows) {
        seen.add(row.id);
        this.jobs.set(row.id, mirrored(row));
      }
      const end = rows.at(-1)?.id;
      if (rows.length < PAGE || end === undefined) break;
      last = end;
    }
    for (const id of this.jobs.keys()) if (!seen.has(id)) this.jobs.delete(id);
  }

  /** @returns whether a new decision could differ: a job joined the queue, room was freed or taken elsewhere */
  async refresh(ids: readonly string[]): Promise<boolean> {
    let matters = false;
    for (let index = 0; index < ids.length; index += PAGE) {
      const page = ids.slice(index, index + PAGE);
      const rows = await this.#select().where(sql<SqlBool>`id = any (${page}::text[])`).execute();
      const found = new Map(rows.map((row) => [row.id, row]));
      for (const id of page) {
        const row = found.get(id);
        const before = this.jobs.get(id);
        const after = row === undefined ? undefined : mirrored(row);
        if (after === undefined) this.jobs.delete(id);
        else this.jobs.set(id, after);
        matters ||= differs(before, after);
      }
    }
    return matters;
  }

  #select() {
    return (
      this.#db
        .selectFrom('jobs')
        .select(COLUMNS)
        // Of the specification, which may be long, only this.
        .select(sql<JobPodSpec['resources']>`spec -> 'resources'`.as('resources'))
        .where('cluster', '=', this.#cluster)
        .where('phase', 'in', [...WATCHED])
    );
  }
}

function differs(before: MirroredJob | undefined, after: MirroredJob | undefined): boolean {
  if (after?.queued !== undefined && before?.queued === undefined) return true;
  if (before?.active === undefined) return false;
  return after?.active === undefined || after.active.node !== before.active.node;
}

type MirroredRow = Pick<JobRow, (typeof COLUMNS)[number]> & { readonly resources: JobPodSpec['resources'] };

function mirrored(row: MirroredRow): MirroredJob {
  const needs = needsOf(row.resources);
  const common = { id: row.id, org: row.org, project: row.project, needs };
  const holds = row.phase === 'admitted' || row.phase === 'running' || row.phase === 'stopping';
  return {
    phase: row.phase,
    reason: row.reason,
    description: row.status_description,
    created_at: row.created_at,
    admitted_at: row.admitted_at,
    started_at: row.started_at,
    phase_at: row.phase_at,
    schedule_timeout: row.schedule_timeout,
    max_run_time_minutes: row.max_run_time_minutes,
    queued:
      row.phase === 'queued'
        ? { ...common, priority: row.priority, createdAt: row.created_at, pools: row.pools }
        : undefined,
    active: holds && row.pool !== null ? { ...common, pool: row.pool, node: row.node } : undefined,
  };
}
