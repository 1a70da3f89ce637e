import { TERMINAL } from '@delos/core';
import type { Event, Found } from '@delos/engine';
import type { Db, JobRow } from '../../db/schema.ts';
import type { LoadedBake } from './load.ts';

/** What a bake asks the database for. */

export type SeenJob = Pick<JobRow, 'id' | 'status' | 'phase' | 'first_started_at' | 'started_at' | 'finished_at'>;

/** Jobs of the bake's project, by their ids. */
export async function seenJobs(
  db: Db,
  { home }: Pick<LoadedBake, 'home'>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, SeenJob>> {
  if (ids.length === 0) return new Map();
  const rows = await db
    .selectFrom('jobs')
    .select(['id', 'status', 'phase', 'first_started_at', 'started_at', 'finished_at'])
    .where('id', 'in', [...ids])
    .where('org', '=', home.place.org)
    .where('project', '=', home.project)
    .execute();
  return new Map(rows.map((row) => [row.id, row]));
}

/** How a task's job is doing, as the engine is told. */
export function eventOf(
  task: string,
  { id: jobId, status, first_started_at: first, finished_at: end }: SeenJob,
): Event {
  if (!TERMINAL.has(status)) {
    return { kind: 'job', task, jobId, status: status as 'running', at: (first ?? new Date()).getTime() };
  }
  const at = (end ?? new Date()).getTime();
  const started = first === null ? {} : { startedAt: first.getTime() };
  return { kind: 'ended', task, jobId, status: status as 'succeeded', at, ...started };
}

/** What is kept of a task under a key, since a time in milliseconds since 1970. */
export async function keptResult(
  db: Db,
  { attempt }: Pick<LoadedBake, 'attempt'>,
  { task, key, since }: { readonly task: string; readonly key: string; readonly since: number },
): Promise<Found | null> {
  const entry = await db
    .selectFrom('flow_cache_entries')
    .select(['raw_id', 'outputs', 'state'])
    .where('flow', '=', attempt.flow)
    .where('batch', '=', attempt.batch)
    .where('task_id', '=', task)
    .where('key', '=', key)
    .where('created_at', '>', new Date(Math.max(since, 0)))
    .executeTakeFirst();
  return entry === undefined ? null : { jobId: entry.raw_id, outputs: entry.outputs, state: entry.state };
}
