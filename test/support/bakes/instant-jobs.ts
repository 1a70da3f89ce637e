import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Database } from '../../../runtime/service/src/db/database.ts';

/*
 * Stands where scheduler, agent and collector of a cluster stand, where thousands of jobs are nothing but their rows: each one that
 * waits succeeds, without a word, some at a time.
 */

export interface InstantJobs {
  /** How many have ended. */
  readonly ended: () => number;
  stop(): Promise<void>;
}

/** @param each the most that end every 100 ms */
export function instantJobs(database: Database, each: number): InstantJobs {
  let ended = 0;
  let over = false;
  const loop = (async () => {
    while (!over) {
      const { rows } = await sql`
        with due as (
          select id from jobs where phase = 'queued' order by created_at limit ${each} for update
        ), done as (
          update jobs set phase = 'gone', status = 'succeeded', reason = null, exit_code = 0, logs_complete = true,
            first_started_at = now(), started_at = now(), finished_at = now(), phase_at = now(), revision = revision + 1
          from due where jobs.id = due.id returning jobs.id, jobs.cluster, jobs.phase
        )
        select pg_notify('job_changed', json_build_object('id', id, 'cluster', cluster, 'phase', phase)::text) from done`.execute(
        database.db,
      );
      ended += rows.length;
      await sleep(100);
    }
  })();
  return {
    ended: () => ended,
    stop: async () => {
      over = true;
      await loop;
    },
  };
}
