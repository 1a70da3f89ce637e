import { sql } from 'kysely';
import type { JobRow } from '../../../db/schema.ts';

/** Columns of a job that are shown. */
export const COLUMNS = [
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

/** Which state of a row is meant: PostgreSQL's `xmin`, the transaction that wrote it. A job's history is written by the same one. */
export interface JobVersion {
  readonly id: string;
  readonly version: string;
}

export const VERSION = sql<string>`xmin::text`.as('version');
