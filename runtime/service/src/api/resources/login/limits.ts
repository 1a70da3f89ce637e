import { createHash } from 'node:crypto';
import { sql } from 'kysely';
import type { Database } from '../../../db/database.ts';
import type { Tx } from '../../../db/schema.ts';
import { sourceOf } from '../../limits/source.ts';

/*
 * How often a password may be tried. Counted by source and user together, and by source over all users: whoever guesses
 * locks out their own address and nobody else. An attempt counts before it is made, so that many at once are no way
 * around it; one that succeeds is taken off again. Rows are the only state, so all replicas count together.
 */

/** Failures after which a source has to wait. */
export const LIMITS = { user: 10, source: 100 } as const;
const FIRST_WAIT_SECONDS = 60;
const LONGEST_WAIT_SECONDS = 900;
/** Without a failure for this long, the count begins anew. */
const FORGET_SECONDS = 3600;
/** Most rows that are kept. The oldest go. */
export const MOST_ROWS = 100_000;
const PRUNE_MS = 60_000;

export interface Attempt {
  /** Seconds until another attempt is taken; 0: this one may be made. */
  readonly wait: number;
  /** The password was right, or was never looked at. */
  readonly takeBack: () => Promise<void>;
}

export class LoginLimits {
  readonly #database: Pick<Database, 'db' | 'tx'>;
  #pruned = Number.NEGATIVE_INFINITY;

  constructor(database: Pick<Database, 'db' | 'tx'>) {
    this.#database = database;
  }

  async attempt(address: string, user: string): Promise<Attempt> {
    const source = sourceOf(address);
    const account = createHash('sha256').update(user.trim().toLowerCase()).digest('base64url');
    await this.#prune();
    // The account first: an attempt that is refused counts nowhere.
    const counters = [
      { source, account, limit: LIMITS.user },
      { source, account: '', limit: LIMITS.source },
    ];
    const wait = await this.#database.tx(async (tx) => {
      for (const counter of counters) {
        const seconds = await secondsBlocked(tx, counter);
        if (seconds > 0) return seconds;
      }
      for (const counter of counters) await count(tx, counter);
      return 0;
    });
    return {
      wait,
      takeBack: async () => {
        if (wait > 0) return;
        await this.#database.tx(async (tx) => {
          for (const counter of counters) await takeOff(tx, counter);
        });
      },
    };
  }

  async #prune(): Promise<void> {
    if (performance.now() - this.#pruned < PRUNE_MS) return;
    this.#pruned = performance.now();
    await prune(this.#database.db);
  }
}

/** Forgets what is old, and the oldest where there is too much. */
export async function prune(db: Database['db']): Promise<void> {
  await sql`delete from login_failures where last_at < now() - make_interval(secs => ${FORGET_SECONDS})
    or last_at < (select last_at from login_failures order by last_at desc offset ${MOST_ROWS - 1} limit 1)`.execute(
    db,
  );
}

interface Counter {
  readonly source: string;
  readonly account: string;
  readonly limit: number;
}

/** Locks the counter's row: attempts of one source and user come one after another. */
async function secondsBlocked(tx: Tx, { source, account }: Counter): Promise<number> {
  await sql`insert into login_failures (source, account, failures, last_at) values (${source}, ${account}, 0, now())
    on conflict do nothing`.execute(tx);
  const { rows } = await sql<{ seconds: number }>`
    select greatest(0, ceil(extract(epoch from blocked_until - now())))::int as seconds
    from login_failures where source = ${source} and account = ${account} for update`.execute(tx);
  return rows[0]?.seconds ?? 0;
}

/** From the limit on, each further failure doubles the wait. */
async function count(tx: Tx, { source, account, limit }: Counter): Promise<void> {
  await sql`with counted as (
      select case when last_at < now() - make_interval(secs => ${FORGET_SECONDS}) then 1 else failures + 1 end as failures
      from login_failures where source = ${source} and account = ${account})
    update login_failures set failures = counted.failures, last_at = now(),
      blocked_until = case when counted.failures >= ${limit}::int
        then now() + make_interval(secs =>
          least(${LONGEST_WAIT_SECONDS}, ${FIRST_WAIT_SECONDS} * 2 ^ least(10, counted.failures - ${limit}::int)))
        end
    from counted where source = ${source} and account = ${account}`.execute(tx);
}

async function takeOff(tx: Tx, { source, account, limit }: Counter): Promise<void> {
  await sql`update login_failures set failures = greatest(0, failures - 1),
      blocked_until = case when failures - 1 >= ${limit}::int then blocked_until end
    where source = ${source} and account = ${account}`.execute(tx);
}
