import { DelosError, type PlatformConfig } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../../../db/schema.ts';

/** Most jobs that may wait at once: of one user in all projects, and of one project. */
export type QueueLimits = Pick<PlatformConfig['jobs'], 'queuedPerUser' | 'queuedPerProject'>;

export interface QueuePlace {
  readonly cluster: string;
  readonly user: string;
  readonly org: string;
  readonly project: string;
}

/**
 * Refuses a job where too many wait already. Requests of one user, and of one project, are judged one after another, so
 * that many at once do not pass together.
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function checkQueue(tx: Tx, limits: QueueLimits, place: QueuePlace): Promise<void> {
  const { cluster, user, org, project } = place;
  // Always in this order: two requests never wait for each other.
  for (const key of [`queue of user ${user}`, `queue of project ${org}/${project}`]) {
    await sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(tx);
  }
  // Counted as far as it matters: each of the two reads an index of its own.
  const { rows } = await sql<{ own: number; all: number }>`select
    (select count(*)::int from (select from jobs
      where cluster = ${cluster} and owner = ${user} and phase = 'queued' limit ${limits.queuedPerUser}) as mine) as own,
    (select count(*)::int from (select from jobs
      where cluster = ${cluster} and org = ${org} and project = ${project} and phase = 'queued'
      limit ${limits.queuedPerProject}) as ours) as all`.execute(tx);
  const { own, all } = rows[0] ?? { own: 0, all: 0 };
  if (own >= limits.queuedPerUser) throw full(user, own, 'jobs.queuedPerUser');
  if (all >= limits.queuedPerProject) throw full(`project ${org}/${project}`, all, 'jobs.queuedPerProject');
}

function full(who: string, count: number, key: string): DelosError {
  return new DelosError('ERR_QUOTA_EXCEEDED', `${who} has ${count} waiting jobs, the most at once`, {
    hint: `submit again when some have started, or end some: apolo kill JOB. The limit is ${key} in delos.yaml`,
  });
}
