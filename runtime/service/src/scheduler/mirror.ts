import { OPEN_PHASES } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Db } from '../db/schema.ts';
import type { Clocked } from './clock.ts';
import type { PlannedJob } from './planned.ts';
import { plannedJob, type ScheduledRow, selectJobs } from './rows.ts';

const PAGE = 500;

export interface MirroredJob extends Clocked {
  readonly org: string;
  readonly project: string;
  readonly planned: PlannedJob | undefined;
  /** In the queue, but held back until then. */
  readonly retryAt: Date | null;
}

/**
 * The jobs that matter to the scheduler, kept in memory: ten thousand waiting ones are not read again for each that
 * comes. Rows are the truth; what was notified is read again, and all of it on {@link reload}. `onRow` is told of every
 * row that was read, and of every job that is watched no more (undefined).
 */
export class JobMirror {
  readonly jobs = new Map<string, MirroredJob>();
  readonly #db: Db;
  readonly #cluster: string;
  readonly #onRow: (id: string, job: PlannedJob | undefined) => void;

  constructor(db: Db, cluster: string, onRow: (id: string, job: PlannedJob | undefined) => void) {
    this.#db = db;
    this.#cluster = cluster;
    this.#onRow = onRow;
  }

  async reload(): Promise<void> {
    const seen = new Set<string>();
    for (let last = ''; ; ) {
      const rows = await this.#select().where('id', '>', last).orderBy('id').limit(PAGE).execute();
      for (const row of rows) {
        seen.add(row.id);
        this.#put(row);
      }
      const end = rows.at(-1)?.id;
      if (rows.length < PAGE || end === undefined) break;
      last = end;
    }
    for (const id of this.jobs.keys()) if (!seen.has(id)) this.#drop(id);
  }

  async refresh(ids: readonly string[]): Promise<void> {
    for (let index = 0; index < ids.length; index += PAGE) {
      const page = ids.slice(index, index + PAGE);
      const rows = await this.#select().where(sql<SqlBool>`id = any (${page}::text[])`).execute();
      const found = new Map(rows.map((row) => [row.id, row]));
      for (const id of page) {
        const row = found.get(id);
        if (row === undefined) this.#drop(id);
        else this.#put(row);
      }
    }
  }

  /** What was written to a job's row just now, which nobody is notified of. */
  told(id: string, reason: string, description: string): void {
    const job = this.jobs.get(id);
    if (job !== undefined) this.jobs.set(id, { ...job, reason, status_description: description });
  }

  #put(row: ScheduledRow): void {
    const job = mirrored(row);
    this.jobs.set(row.id, job);
    this.#onRow(row.id, job.planned);
  }

  #drop(id: string): void {
    this.jobs.delete(id);
    this.#onRow(id, undefined);
  }

  #select() {
    return selectJobs(this.#db, this.#cluster).where('phase', 'in', [...OPEN_PHASES]);
  }
}

function mirrored(row: ScheduledRow): MirroredJob {
  return {
    org: row.org,
    project: row.project,
    phase: row.phase,
    reason: row.reason,
    status_description: row.status_description,
    created_at: row.created_at,
    admitted_at: row.admitted_at,
    started_at: row.started_at,
    first_started_at: row.first_started_at,
    ran_seconds: row.ran_seconds,
    phase_at: row.phase_at,
    schedule_timeout: row.schedule_timeout,
    max_run_time_minutes: row.max_run_time_minutes,
    pull_failing_since: row.pull_failing_since,
    retryAt: row.phase === 'queued' ? row.retry_at : null,
    planned: plannedJob(row),
  };
}
