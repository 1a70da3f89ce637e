import { setTimeout as sleep } from 'node:timers/promises';
import { DelosError, TERMINAL_STATUSES } from '@delos/core';
import { sql } from 'kysely';
import { changeAttempt } from '../../db/flow/attempts.ts';
import { stopJob } from '../../db/jobs-state.ts';
import { FLOW_CHANGED } from '../../db/notifications.ts';
import type { ApiDeps } from '../deps.ts';
import { BakeMetrics } from './bake-metrics.ts';
import { BakeRun } from './bake-run.ts';
import { endExecutor, tellExecutor } from './executor-row.ts';
import { loadBake } from './load.ts';

const SWEEP_MS = 5_000;
const RETRY_MS = 1_000;
/** Bakes that are held in memory at once; others wait for their turn. */
const MOST_BAKES = 300;

/**
 * Carries bakes out, in one control API at a time: the one that holds the lock. When its connection is lost, the lock is,
 * and another one makes the bakes anew from their rows.
 */
export function carryOutBakes(deps: ApiDeps, most = MOST_BAKES): { close(): Promise<void> } {
  const ending = new AbortController();
  const done = lead(deps, ending.signal, most);
  return {
    close: async () => {
      ending.abort();
      await done;
    },
  };
}

async function lead(deps: ApiDeps, signal: AbortSignal, most: number): Promise<void> {
  while (!signal.aborted) {
    try {
      await deps.database.db.connection().execute(async (connection) => {
        const lock = sql`hashtextextended('delos bakes', 0)`;
        const { rows } = await sql<{ mine: boolean }>`select pg_try_advisory_lock(${lock}) as mine`.execute(connection);
        if (rows[0]?.mine !== true) return;
        deps.log.info('carries out bakes');
        const keeper = new Keeper(deps, most);
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

class Keeper {
  readonly #deps: ApiDeps;
  readonly #most: number;
  readonly #runs = new Map<string, BakeRun>();
  readonly #busy = new Map<string, Promise<void>>();
  readonly #ends: (() => void)[];
  #closed = false;
  swept: Promise<void> = Promise.resolve();
  readonly #metrics: BakeMetrics;

  constructor(deps: ApiDeps, most: number) {
    this.#deps = deps;
    this.#most = most;
    this.#metrics = new BakeMetrics(deps.metrics);
    const { notifications } = deps.database;
    this.#ends = [
      notifications.on(FLOW_CHANGED, () => this.sweep()),
      notifications.onRenewed(() => this.sweep()),
      notifications.onJobChanged(({ id }) => {
        for (const [attempt, run] of this.#runs) {
          if (!run.jobs.has(id)) continue;
          run.wake(id);
          this.#go(attempt);
        }
      }),
    ];
  }

  /** Looks at all that is to be carried out. */
  sweep(): void {
    this.swept = this.swept
      .then(() => this.#sweep())
      .catch((error: unknown) => {
        this.#deps.log.warn({ error }, 'bakes could not be looked at');
      });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends) end();
    await this.swept;
    await Promise.all(this.#busy.values());
    this.#metrics.close();
  }

  async #sweep(): Promise<void> {
    if (this.#closed) return;
    const { db } = this.#deps.database;
    // A bake of each project, then a second one of each, and so on; what is to be cancelled is soon over.
    const { rows } = await sql<{ id: string }>`
      select id from (
        select a.id, a.created_at, a.result,
          row_number() over (partition by p.org, p.project order by a.created_at) as nth
        from flow_attempts a join flow_bakes b on b.id = a.bake join flow_projects p on p.id = b.flow
        where a.engine and a.settled_at is null) as open
      order by (result = 'cancelled') desc, nth, created_at limit ${this.#most}`.execute(db);
    const turn = new Set(rows.map(({ id }) => id));
    // It is made again of its rows when its turn comes.
    for (const id of this.#runs.keys()) if (!turn.has(id) && !this.#busy.has(id)) this.#runs.delete(id);
    for (const { id } of rows) {
      this.#runs.get(id)?.wake();
      this.#go(id);
    }
    this.#metrics.open(
      rows.map(({ id }) => id),
      Date.now(),
    );
    await this.#endForsaken();
    await this.#metrics.tell(db);
  }

  #go(attempt: string): void {
    if (this.#closed) return;
    const before = this.#busy.get(attempt);
    // One that waits already sees all that is known when its turn comes.
    if (before !== undefined) {
      void before.then(
        () => this.#runs.get(attempt) !== undefined && this.#busy.get(attempt) === undefined && this.#go(attempt),
      );
      return;
    }
    const step = this.#step(attempt)
      .catch((error: unknown) => {
        this.#runs.delete(attempt);
        this.#deps.log.warn({ error, attempt }, 'a bake is looked at anew');
      })
      .finally(() => this.#busy.delete(attempt));
    this.#busy.set(attempt, step);
  }

  async #step(attempt: string): Promise<void> {
    let run = this.#runs.get(attempt);
    if (run === undefined) {
      const loaded = await loadBake(this.#deps, attempt);
      if (loaded === undefined) return;
      if ('why' in loaded) {
        await this.#giveUp(loaded.of, loaded.why);
        return;
      }
      run = new BakeRun(this.#deps, loaded);
      this.#runs.set(attempt, run);
    }
    try {
      const over = await run.step();
      this.#metrics.good(attempt, Date.now());
      if (over) this.#runs.delete(attempt);
    } catch (error) {
      if (!(error instanceof DelosError) || error.code !== 'ERR_QUOTA_EXCEEDED') throw error;
      const loaded = await loadBake(this.#deps, attempt);
      this.#runs.delete(attempt);
      if (loaded !== undefined) await this.#giveUp('why' in loaded ? loaded.of : loaded, error.message);
    }
  }

  /** A bake that cannot be carried out has failed, and its jobs end. */
  async #giveUp(
    {
      attempt,
      executor,
    }: { readonly attempt: { readonly id: string; readonly bake: string }; readonly executor: { readonly id: string } },
    why: string,
  ): Promise<void> {
    await this.#killJobs(attempt.bake);
    await tellExecutor(this.#deps, executor, [why], true);
    await this.#deps.database.tx(async (tx) => {
      await changeAttempt(tx, attempt, { result: 'failed' });
      await endExecutor(tx, attempt.id, executor, 'failed', why);
    });
    this.#deps.log.info({ bake: attempt.bake, why }, 'a bake was given up');
  }

  async #killJobs(bake: string): Promise<void> {
    const { database } = this.#deps;
    const jobs = await database.db
      .selectFrom('jobs')
      .innerJoin('flow_tasks', 'flow_tasks.raw_id', 'jobs.id')
      .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
      .select('jobs.id')
      .where('flow_attempts.bake', '=', bake)
      .where('jobs.status', 'not in', [...TERMINAL_STATUSES])
      .where('flow_tasks.status', 'not in', [...TERMINAL_STATUSES, 'skipped', 'cached'])
      .execute();
    const builds = await database.db
      .selectFrom('jobs')
      .innerJoin('flow_bake_images', 'flow_bake_images.builder_job_id', 'jobs.id')
      .select('jobs.id')
      .where('flow_bake_images.bake', '=', bake)
      .where('flow_bake_images.status', '=', 'building')
      .where('jobs.status', 'not in', [...TERMINAL_STATUSES])
      .execute();
    for (const { id } of [...jobs, ...builds]) await this.#kill(id, `bake ${bake} was given up`);
  }

  async #kill(id: string, description: string): Promise<void> {
    await this.#deps.database.tx((tx) => stopJob(tx, id, { status: 'cancelled', reason: 'Killed', description }));
  }

  /** Jobs of bakes that were deleted while they ran. */
  async #endForsaken(): Promise<void> {
    const { database } = this.#deps;
    const { rows } = await sql<{ id: string; bake: string; org: string; project: string }>`
      select id, carries as bake, org, project from jobs where carries is not null and status = 'running'
        and not exists (select from flow_attempts a where a.executor_id = jobs.id)`.execute(database.db);
    for (const { id, bake, org, project } of rows) {
      const left = await database.db
        .selectFrom('jobs')
        .select('id')
        .where('org', '=', org)
        .where('project', '=', project)
        .where('phase', '<>', 'gone')
        .where('status', 'not in', [...TERMINAL_STATUSES])
        .where(sql<boolean>`tags @> array[${`bake_id:${bake}`}]::text[]`)
        .execute();
      for (const job of left) await this.#kill(job.id, `bake ${bake} was deleted`);
      await database.tx((tx) => endExecutor(tx, '', { id }, 'cancelled'));
    }
  }
}
