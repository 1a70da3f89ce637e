import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Db } from '../db/schema.ts';

const RETRY_MS = 1_000;

/**
 * Runs `lead` while holding the cluster's advisory lock, on the connection that holds it: when the connection is
 * lost the lock is, and so is the ability to write. Two schedulers never decide at once. Returns when `signal` aborts.
 */
export async function whileLeading(
  db: Db,
  cluster: string,
  log: Logger,
  signal: AbortSignal,
  lead: (connection: Db) => Promise<void>,
): Promise<void> {
  let told = false;
  while (!signal.aborted) {
    try {
      await db.connection().execute(async (connection) => {
        const { rows } = await sql<{ locked: boolean }>`
          select pg_try_advisory_lock(hashtext('delos scheduler'), hashtext(${cluster})) as locked`.execute(connection);
        if (rows[0]?.locked !== true) {
          if (!told) log.info({ cluster }, 'another scheduler leads; this one stands by');
          told = true;
          return;
        }
        told = false;
        log.info({ cluster }, 'leads');
        try {
          await lead(connection);
        } finally {
          await sql`select pg_advisory_unlock(hashtext('delos scheduler'), hashtext(${cluster}))`.execute(connection);
        }
      });
    } catch (error) {
      if (!signal.aborted) log.warn({ error, cluster }, 'leadership lost');
    }
    await sleep(RETRY_MS, undefined, { signal }).catch(() => undefined);
  }
}
