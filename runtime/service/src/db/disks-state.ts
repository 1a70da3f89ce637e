import type { ClaimObservation } from '@delos/core';
import { sql } from 'kysely';
import { DISK_CHANGED } from './notifications.ts';
import type { DiskRow, Tx } from './schema.ts';

/*
 * The life of a disk: kept ──mark──▶ marked ──its last job has gone──▶ removing ──its claim has gone──▶ no row.
 * Each step may be done twice, and is done again by the sweep where its moment was missed.
 */

async function notify(tx: Tx, { id, cluster }: Pick<DiskRow, 'id' | 'cluster'>): Promise<void> {
  await sql`select pg_notify(${DISK_CHANGED}, ${JSON.stringify({ id, cluster })})`.execute(tx);
}

/** Those who wait with the disk are judged anew. */
async function notifyJobs(tx: Tx, disk: string): Promise<void> {
  await sql`select pg_notify('job_changed', json_build_object('id', j.id, 'cluster', j.cluster, 'phase', j.phase)::text)
    from job_disks m join jobs j on j.id = m.job where m.disk = ${disk} and j.phase = 'queued'`.execute(tx);
}

/** A new disk is to be made. */
export async function diskMade(tx: Tx, row: Pick<DiskRow, 'id' | 'cluster'>): Promise<void> {
  await notify(tx, row);
}

/** The disk is not wanted any more: it goes at once, or with the last job that was accepted with it. */
export async function markDisk(tx: Tx, id: string): Promise<void> {
  const row = await tx
    .updateTable('disks')
    .set((eb) => ({ phase: 'marked', revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .where('phase', '=', 'kept')
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) await removeMarked(tx, [id]);
}

/** Of these disks, those that are marked and have no job any more are to be removed now. */
export async function removeMarked(tx: Tx, ids: readonly string[]): Promise<void> {
  const rows = await tx
    .updateTable('disks')
    .set((eb) => ({ phase: 'removing', revision: eb('revision', '+', 1) }))
    .where('id', 'in', ids.length === 0 ? [''] : [...ids])
    .where('phase', '=', 'marked')
    .where(({ not, exists, selectFrom }) =>
      not(exists(selectFrom('job_disks').select('job').whereRef('job_disks.disk', '=', 'disks.id'))),
    )
    .returning(['id', 'cluster'])
    .execute();
  for (const row of rows) await notify(tx, row);
}

/** What a change of a job means for its disks: it uses them, or is gone and leaves them. */
export async function jobMoved(tx: Tx, job: { readonly id: string; readonly gone: boolean }): Promise<void> {
  const mounts = job.gone
    ? await tx.deleteFrom('job_disks').where('job', '=', job.id).returning('disk').execute()
    : await tx.selectFrom('job_disks').select('disk').where('job', '=', job.id).execute();
  const ids = mounts.map(({ disk }) => disk).sort();
  if (ids.length === 0) return;
  await tx.updateTable('disks').set({ last_used_at: new Date() }).where('id', 'in', ids).execute();
  if (job.gone) await removeMarked(tx, ids);
  // Whoever waits for one of them may have it now.
  for (const id of ids) await notifyJobs(tx, id);
}

/** Records what the agent saw of a disk's claim. A report of a disk that is being removed changes nothing. */
export async function recordClaim(tx: Tx, id: string, seen: ClaimObservation, cluster?: string): Promise<void> {
  const row = await tx
    .selectFrom('disks')
    .selectAll()
    .where('id', '=', id)
    .$if(cluster !== undefined, (query) => query.where('cluster', '=', cluster ?? ''))
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined || row.phase === 'removing') return;
  // A claim is never made again, so another one is none of ours.
  if (row.claim_uid !== null && seen.claimUid !== '' && row.claim_uid !== seen.claimUid) return;
  const claim_uid = row.claim_uid ?? (seen.claimUid === '' ? null : seen.claimUid);
  const nodes = seen.nodes === null ? null : [...seen.nodes];
  const news = { status: seen.phase, description: seen.description, claim_uid, nodes, used_bytes: seen.usedBytes };
  const learnt = claim_uid !== row.claim_uid;
  await tx
    .updateTable('disks')
    .set((eb) => ({ ...news, ...(learnt ? { revision: eb('revision', '+', 1) } : {}) }))
    .where('id', '=', id)
    .execute();
  if (learnt) await notify(tx, row);
  const sameNodes = JSON.stringify(row.nodes) === JSON.stringify(nodes);
  const moved = row.status !== news.status || row.description !== news.description || !sameNodes;
  if (moved) await notifyJobs(tx, id);
}

/** The claim is gone, so the disk is. */
export async function claimRemoved(tx: Tx, id: string, cluster?: string): Promise<void> {
  const row = await tx
    .deleteFrom('disks')
    .where('id', '=', id)
    .$if(cluster !== undefined, (query) => query.where('cluster', '=', cluster ?? ''))
    .where('phase', '=', 'removing')
    .returning(['id', 'cluster'])
    .executeTakeFirst();
  if (row !== undefined) await notify(tx, row);
}

/** Most disks that one sweep looks at. */
const SWEPT = 500;

/** Removes disks whose life-span after their last use is over, and goes on with what was cut off. */
export async function sweepDisks(tx: Tx, cluster: string): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from disks where cluster = ${cluster} and phase <> 'removing'
      and (phase = 'marked' or extract(epoch from now() - coalesce(last_used_at, created_at)) > life_span)
      and not exists (select from job_disks m where m.disk = disks.id)
    order by id limit ${SWEPT} for update skip locked`.execute(tx);
  const expired: string[] = [];
  for (const { id } of rows) {
    // Asked again, now that no job can be accepted with it: one may have been since the list was read.
    const still = await sql<{ phase: string }>`
      select phase from disks where id = ${id} and not exists (select from job_disks m where m.disk = disks.id)
        and (phase = 'marked' or extract(epoch from now() - coalesce(last_used_at, created_at)) > life_span)`.execute(
      tx,
    );
    const phase = still.rows[0]?.phase;
    if (phase === 'kept') {
      await markDisk(tx, id);
      expired.push(id);
    } else if (phase === 'marked') await removeMarked(tx, [id]);
  }
  return expired;
}
