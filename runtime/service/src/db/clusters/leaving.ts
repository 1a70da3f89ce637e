import {
  type ClusterRecord,
  DelosError,
  LIVE_STATUSES,
  type Offer,
  PHASES_WITHOUT_POD,
  podlessObservation,
} from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import { claimRemoved, markDisk } from '../disks-state.ts';
import { applyEvent, stopJob } from '../jobs-state.ts';
import { CONFIG_CHANGED } from '../notifications.ts';
import type { Db, Tx } from '../schema.ts';
import { auditCluster, clustersChanged } from './changes.ts';
import { hasJoined } from './joining.ts';

/** How many jobs and disks of a leaving cluster its agent still has to end. */
export interface LeftOver {
  readonly jobs: number;
  readonly disks: number;
}

/** Writes down what a cluster offers to jobs. @returns whether that is something else than before */
export async function recordOffer(tx: Tx, cluster: string, { pools, presets, scheduling }: Offer): Promise<boolean> {
  const offered = {
    pools: JSON.stringify(pools),
    presets: JSON.stringify(presets),
    scheduling: JSON.stringify(scheduling),
  };
  const changed = await tx
    .updateTable('clusters')
    .set(offered)
    .where('name', '=', cluster)
    .where('joined_at', 'is not', null)
    .where(
      sql<SqlBool>`(pools, presets, scheduling)
        <> (${offered.pools}::jsonb, ${offered.presets}::jsonb, ${offered.scheduling}::jsonb)`,
    )
    .returning('name')
    .executeTakeFirst();
  if (changed === undefined) return false;
  await clustersChanged(tx, cluster);
  await sql`select pg_notify(${CONFIG_CHANGED}, ${cluster})`.execute(tx);
  return true;
}

/**
 * A cluster leaves: it takes no new jobs, those that it has are ended, its disks are removed. Asked again until nothing is
 * left; then it is forgotten, and its secrets open nothing any more.
 */
export async function leaveCluster(tx: Tx, cluster: string, by: string): Promise<LeftOver> {
  const first = await tx
    .updateTable('clusters')
    .set({ leaving_at: new Date() })
    .where('name', '=', cluster)
    .where('leaving_at', 'is', null)
    .returning('name')
    .executeTakeFirst();
  if (first !== undefined) {
    await auditCluster(tx, { actor: by, action: 'cluster.leave', cluster, details: {} });
    await clustersChanged(tx, cluster);
  }
  for (const id of await idsOf(tx, cluster, 'live')) await stopJob(tx, id, LEFT);
  const disks = await tx.selectFrom('disks').select('id').where('cluster', '=', cluster).execute();
  for (const { id } of disks) await markDisk(tx, id);
  const left = { jobs: (await idsOf(tx, cluster, 'unfinished')).length, disks: disks.length };
  if (left.jobs === 0 && left.disks === 0) await forgetCluster(tx, cluster);
  return left;
}

/**
 * Forgets a cluster that does not answer any more. Its jobs are told as ended and its disks as gone, whatever became of them
 * there. @throws DelosError ERR_NOT_FOUND for one that has not joined
 */
export async function removeCluster(tx: Tx, cluster: string, by: string): Promise<LeftOver> {
  if (!(await hasJoined(tx, cluster))) {
    throw new DelosError('ERR_NOT_FOUND', `no cluster ${JSON.stringify(cluster)} has joined`, {
      hint: '`delos clusters list` names those that have',
    });
  }
  const unfinished = await idsOf(tx, cluster, 'unfinished');
  for (const id of unfinished) await endForGood(tx, id);
  const disks = await tx.selectFrom('disks').select('id').where('cluster', '=', cluster).execute();
  for (const { id } of disks) {
    await markDisk(tx, id);
    await claimRemoved(tx, id);
  }
  await auditCluster(tx, { actor: by, action: 'cluster.remove', cluster, details: { jobs: unfinished.length } });
  await forgetCluster(tx, cluster);
  return { jobs: unfinished.length, disks: disks.length };
}

const LEFT = { status: 'cancelled', reason: 'Killed', description: 'its cluster has left the platform' } as const;

/** By each step of a job's life, as if its agent had told of them. */
async function endForGood(tx: Tx, id: string): Promise<void> {
  const stopped = await stopJob(tx, id, LEFT);
  if (stopped === undefined) return;
  const absent = { phase: 'absent', reason: 'NodeLost', description: LEFT.description } as const;
  const gone = { ...podlessObservation(stopped.run), ...absent };
  await applyEvent(tx, id, { type: 'observe', observation: gone });
  await applyEvent(tx, id, { type: 'seal', complete: false });
  await applyEvent(tx, id, { type: 'removed', run: stopped.run, podUid: '' });
}

async function idsOf(tx: Tx, cluster: string, which: 'live' | 'unfinished'): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('jobs')
    .select('id')
    .where('cluster', '=', cluster)
    .$if(which === 'live', (query) => query.where('status', 'in', LIVE_STATUSES))
    .$if(which === 'unfinished', (query) => query.where('phase', '<>', 'gone'))
    .orderBy('id')
    .execute();
  return rows.map(({ id }) => id);
}

/** Its row stays where the history of jobs names it. */
async function forgetCluster(tx: Tx, cluster: string): Promise<void> {
  await tx.deleteFrom('cluster_credentials').where('cluster', '=', cluster).execute();
  await tx.deleteFrom('join_tokens').where('cluster', '=', cluster).execute();
  await tx.deleteFrom('nodes').where('cluster', '=', cluster).execute();
  await tx
    .updateTable('clusters')
    .set({ joined_at: null, leaving_at: null, last_seen_at: null, pools: '[]', presets: '[]' })
    .where('name', '=', cluster)
    .execute();
  await sql`delete from clusters c where name = ${cluster}
    and not exists (select from jobs j where j.cluster = c.name)
    and not exists (select from disks d where d.cluster = c.name)`.execute(tx);
  await clustersChanged(tx, cluster);
}

/** Every cluster that the operator has to do with. */
export async function listClusters(db: Db, own: string): Promise<readonly ClusterRecord[]> {
  const { rows } = await sql<{
    name: string;
    joined_at: Date | null;
    last_seen_at: Date | null;
    expires_at: Date | null;
    nodes: number;
    jobs: number;
  }>`
    select coalesce(c.name, t.cluster) as name, c.joined_at, c.last_seen_at, t.expires_at,
      (select count(*)::int from nodes n where n.cluster = c.name) as nodes,
      (select count(*)::int from jobs j where j.cluster = c.name and j.phase <> all (${PHASES_WITHOUT_POD}::text[])) as jobs
    from clusters c full join (select * from join_tokens where spent_for is null and expires_at > now()) t
      on t.cluster = c.name
    order by c.name = ${own} desc nulls last, 1`.execute(db);
  return rows.map((row) => ({
    name: row.name,
    state: row.name === own ? 'own' : row.joined_at !== null ? 'joined' : row.expires_at !== null ? 'invited' : 'left',
    seenAt: row.last_seen_at?.toISOString() ?? null,
    tokenExpiresAt: row.expires_at?.toISOString() ?? null,
    nodes: row.nodes,
    jobs: row.jobs,
  }));
}
