import { sql } from 'kysely';
import { Gauge, type Registry } from 'prom-client';
import type { Database } from './database.ts';

/** The size is asked for at most this often, however often somebody looks. */
const SIZE_MS = 60_000;

/**
 * What a service knows of PostgreSQL, which tells nothing itself: whether it answers, how many connections of the pool
 * are used, and how large the database is.
 */
export function databaseMetrics(
  registry: Registry,
  database: Pick<Database, 'db' | 'unhealthy' | 'connections'>,
  { volumeBytes }: { readonly volumeBytes?: number | undefined } = {},
): void {
  const registers = [registry];
  if (volumeBytes !== undefined) {
    new Gauge({
      name: 'delos_database_volume_bytes',
      help: 'Size that the volume of PostgreSQL was made with',
      registers,
    }).set(volumeBytes);
  }
  // Before the others, whose own questions wait for a connection.
  new Gauge({
    name: 'delos_database_connections',
    help: 'Connections of this service to PostgreSQL, and who waits for one',
    labelNames: ['state'],
    registers,
    collect() {
      for (const [state, count] of Object.entries(database.connections)) this.set({ state }, count);
    },
  });
  new Gauge({
    name: 'delos_database_up',
    help: 'Whether PostgreSQL answers this service',
    registers,
    async collect() {
      this.set((await database.unhealthy()) === undefined ? 1 : 0);
    },
  });
  let askedAt = Number.NEGATIVE_INFINITY;
  new Gauge({
    name: 'delos_database_bytes',
    help: 'Size of the database on its disk',
    registers,
    async collect() {
      if (performance.now() - askedAt < SIZE_MS) return;
      askedAt = performance.now();
      const answer = await sql<{ bytes: number }>`select pg_database_size(current_database()) as bytes`
        .execute(database.db)
        .catch(() => undefined);
      const bytes = answer?.rows[0]?.bytes;
      if (bytes !== undefined) this.set(bytes);
    },
  });
}
