import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Db } from '../schema.ts';

/** Since when the clusters that have joined were not heard of. One that is leaving is told until it has left. */
export function clusterMetrics(registry: Registry, db: Db): void {
  new Gauge({
    name: 'delos_cluster_silent_seconds',
    help: 'Seconds since a cluster that has joined was heard of',
    labelNames: ['cluster'],
    registers: [registry],
    async collect() {
      const rows = await db
        .selectFrom('clusters')
        .select([
          'name',
          sql<number>`extract(epoch from now() - coalesce(last_seen_at, joined_at))::float8`.as('silent'),
        ])
        .where('joined_at', 'is not', null)
        .execute()
        // Whether the database answers is told elsewhere.
        .catch(() => []);
      this.reset();
      for (const { name, silent } of rows) this.set({ cluster: name }, Math.max(0, silent));
    },
  });
}
