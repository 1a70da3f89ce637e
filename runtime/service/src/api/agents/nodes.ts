import type { NodeReport } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../../db/database.ts';
import { NODES_CHANGED } from '../../db/notifications.ts';

/** Keeps what the agent reported of its nodes; wakes the scheduler where that differs from what was known. */
export async function recordNodes(
  database: Database,
  cluster: string,
  nodes: readonly NodeReport[],
  changed: boolean,
): Promise<void> {
  await database.tx(async (tx) => {
    const now = new Date();
    await tx.updateTable('clusters').set({ last_seen_at: now }).where('name', '=', cluster).execute();
    const names = nodes.map(({ name }) => name);
    if (!changed) {
      await tx.updateTable('nodes').set({ reported_at: now }).where('cluster', '=', cluster).execute();
      return;
    }
    await sql`delete from nodes where cluster = ${cluster} and name <> all (${names}::text[])`.execute(tx);
    for (const node of nodes) {
      const report = JSON.stringify(node);
      await tx
        .insertInto('nodes')
        .values({ cluster, name: node.name, report, reported_at: now })
        .onConflict((conflict) => conflict.columns(['cluster', 'name']).doUpdateSet({ report, reported_at: now }))
        .execute();
    }
    await sql`select pg_notify(${NODES_CHANGED}, ${cluster})`.execute(tx);
  });
}
