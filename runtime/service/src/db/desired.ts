import type { DesiredJob } from '@delos/core';
import type { Db, JobPhase, JobRow, Tx } from './schema.ts';

const ACTION: Readonly<Partial<Record<JobPhase, DesiredJob['action']>>> = {
  admitted: 'run',
  running: 'run',
  stopping: 'stop',
  ended: 'stop',
  archived: 'remove',
};

/** What the agent shall do about a job; undefined while it is queued and once it is gone. */
export function desiredOf(row: JobRow): DesiredJob | undefined {
  const action = ACTION[row.phase];
  if (action === undefined || row.pool === null) return undefined;
  return {
    jobId: row.id,
    revision: row.revision,
    action,
    graceSeconds: 15,
    run: row.run,
    podUid: row.pod_uid,
    spec: { ...row.spec, pool: row.pool, node: row.planned_node },
  };
}

/** Everything the agent of a cluster is to know when it connects. */
export async function listDesired(db: Db | Tx, cluster: string): Promise<readonly DesiredJob[]> {
  const rows = await db
    .selectFrom('jobs')
    .selectAll()
    .where('cluster', '=', cluster)
    .where('phase', 'in', ['admitted', 'running', 'stopping', 'ended', 'archived'])
    .orderBy('created_at')
    .execute();
  return rows.flatMap((row) => desiredOf(row) ?? []);
}

/** What is desired of these jobs; those of which nothing is are left out. */
export async function findDesired(db: Db | Tx, ids: readonly string[]): Promise<readonly DesiredJob[]> {
  const rows = await db.selectFrom('jobs').selectAll().where('id', 'in', ids).execute();
  return rows.flatMap((row) => desiredOf(row) ?? []);
}
