import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError } from '@delos/core';
import { type RawBuilder, sql } from 'kysely';
import type { Db } from './schema.ts';

/** How a turn is waited for. */
export interface Turn {
  /** Called each ten seconds, with how many it has been waited for. @default nobody is told */
  readonly tell?: (seconds: number) => void;
  /** @default ten minutes */
  readonly limitMs?: number;
}

const LIMIT_MS = 600_000;
const ASK_MS = 500;
const TELL_MS = 10_000;

/**
 * Runs the body while nobody else does who names the same lock. The lock goes with the connection, so that a holder that
 * is killed holds up nobody. It is asked for again and again: a wait inside the server would end with its limits for
 * statements, which are shorter than what a holder may take.
 * @param what for the error: what another holds
 * @throws DelosError ERR_TIMEOUT where the limit passes
 */
export async function inTurn<T>(
  db: Db,
  lock: RawBuilder<unknown>,
  what: string,
  { tell, limitMs = LIMIT_MS }: Turn,
  body: (connection: Db) => Promise<T>,
): Promise<T> {
  return db.connection().execute(async (connection) => {
    const from = performance.now();
    let told = from;
    const taken = async (): Promise<boolean> => {
      const { rows } = await sql<{ mine: boolean }>`select pg_try_advisory_lock(${lock}) as mine`.execute(connection);
      return rows[0]?.mine === true;
    };
    while (!(await taken())) {
      const now = performance.now();
      if (now - from > limitMs) {
        throw new DelosError('ERR_TIMEOUT', `another has ${what} for ${Math.round(limitMs / 1000)} s`, {
          hint: 'look at the log of the other replica',
        });
      }
      if (now - told >= TELL_MS) {
        told = now;
        tell?.(Math.round((now - from) / 1000));
      }
      await sleep(ASK_MS);
    }
    try {
      return await body(connection);
    } finally {
      await sql`select pg_advisory_unlock(${lock})`.execute(connection);
    }
  });
}
