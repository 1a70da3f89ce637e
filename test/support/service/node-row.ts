import type { NodeReport } from '@delos/core';
import { sql } from 'kysely';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { NODES_CHANGED } from '../../../runtime/service/src/db/notifications.ts';

/** Writes down a node as its agent would report it: `node-1` where no name is given, or another than it was. */
export async function reportNode({ db }: Pick<Database, 'db'>, facts: Partial<NodeReport> = {}): Promise<void> {
  const plain = { name: 'node-1', pool: 'default', ready: true, schedulable: true, cpu: 4, memory: 2 ** 33 };
  const report = { ...plain, extended: {}, pods: 100, ...facts };
  await db
    .insertInto('nodes')
    .values({ cluster: 'default', name: report.name, report: JSON.stringify(report), reported_at: new Date() })
    .onConflict((on) => on.columns(['cluster', 'name']).doUpdateSet({ report: (row) => row.ref('excluded.report') }))
    .execute();
  await db.updateTable('clusters').set({ last_seen_at: new Date() }).execute();
  await sql`select pg_notify(${NODES_CHANGED}, 'default')`.execute(db);
}
