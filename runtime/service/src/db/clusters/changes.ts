import { sql } from 'kysely';
import { CLUSTERS_CHANGED } from '../notifications.ts';
import type { Tx } from '../schema.ts';

/** A cluster has joined, offers something else, is leaving or has left. */
export async function clustersChanged(tx: Tx, cluster: string): Promise<void> {
  await sql`select pg_notify(${CLUSTERS_CHANGED}, ${cluster})`.execute(tx);
}

export async function auditCluster(
  tx: Tx,
  {
    actor,
    action,
    cluster,
    details,
  }: { actor: string; action: string; cluster: string; details: Record<string, unknown> },
): Promise<void> {
  await tx
    .insertInto('audit')
    .values({ actor, action, target: cluster, outcome: 'done', details: JSON.stringify(details) })
    .execute();
}
