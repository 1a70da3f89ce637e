import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { ApiDeps } from '../deps.ts';
import { Keeper } from './keeper.ts';

const SWEEP_MS = 5_000;
const RETRY_MS = 1_000;

/**
 * Carries bakes out, in one control API at a time: the one that holds the lock. When its connection is lost, the lock is,
 * and another one makes the bakes anew from their rows.
 */
export function carryOutBakes(deps: ApiDeps): { close(): Promise<void> } {
  const ending = new AbortController();
  const done = lead(deps, ending.signal);
  return {
    close: async () => {
      ending.abort();
      await done;
    },
  };
}

async function lead(deps: ApiDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await deps.database.db.connection().execute(async (connection) => {
        const lock = sql`hashtextextended('delos bakes', 0)`;
        const { rows } = await sql<{ mine: boolean }>`select pg_try_advisory_lock(${lock}) as mine`.execute(connection);
        if (rows[0]?.mine !== true) return;
        deps.log.info('carries out bakes');
        const keeper = new Keeper(deps);
        try {
          while (!signal.aborted) {
            // The lock goes with the connection: where that is gone, somebody else leads.
            await sql`select 1`.execute(connection);
            keeper.sweep();
            await keeper.swept;
            await sleep(SWEEP_MS, undefined, { signal }).catch(() => undefined);
          }
        } finally {
          await keeper.close();
          await sql`select pg_advisory_unlock(${lock})`.execute(connection).catch(() => undefined);
        }
      });
    } catch (error) {
      if (!signal.aborted) deps.log.warn({ error }, 'bakes are carried out by another');
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}
