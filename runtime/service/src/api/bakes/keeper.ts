import { DelosError } from '@delos/core';
import { FairQueue } from '@delos/engine';
import { sql } from 'kysely';
import { z } from 'zod';
import { FLOW_CHANGED } from '../../db/notifications.ts';
import type { ApiDeps } from '../deps.ts';
import { BakeMetrics } from './bake-metrics.ts';
import { BakeRun } from './bake-run.ts';
import { endForsaken, giveUp } from './give-up.ts';
import { loadBake } from './load.ts';

/** Bakes that are carried out at once, as many of one project as of another; others wait for one to end. */
const MOST_BAKES = 10_000;
/** Bakes of which something is done at the same moment. */
const STEPS = 4;
/** Tasks of bakes that are in memory, some 3 KiB each. Of a bake that is not, its jobs are known, and its rows are read when one changes. */
const MOST_HELD = 20_000;
/** Bakes that are looked at though nothing was heard of them: those that were looked at longest ago. */
const SWEPT = 50;
/** Where as many jobs wait as may: the next try, and later where many bakes try. */
const FULL_MS = 2_000;
const FULL_EACH_MS = 50;

const flowChanged = z.object({ attempt: z.string() });

interface Known {
  /** Its project: bakes of each have their turn. */
  readonly group: string;
  looked: number;
}

/** The bakes that are to be carried out: which of them is carried on next, and what of them is in memory. */
export class Keeper {
  readonly #deps: ApiDeps;
  readonly #known = new Map<string, Known>();
  /** The one that was carried on last is the last. */
  readonly #runs = new Map<string, BakeRun>();
  /** Jobs that something is awaited of, with their attempts. */
  readonly #awaited = new Map<string, string>();
  readonly #queue = new FairQueue<string>();
  readonly #busy = new Map<string, Promise<void>>();
  /** Something was heard of them while they were busy. */
  readonly #again = new Set<string>();
  readonly #full = new Map<string, NodeJS.Timeout>();
  readonly #ends: (() => void)[];
  readonly #metrics: BakeMetrics;
  #loading: Promise<unknown> = Promise.resolve();
  #discovering = false;
  #closed = false;
  swept: Promise<void> = Promise.resolve();

  constructor(deps: ApiDeps) {
    this.#deps = deps;
    this.#metrics = new BakeMetrics(deps.metrics);
    const { notifications } = deps.database;
    this.#ends = [
      notifications.on(FLOW_CHANGED, (payload) => this.#heard(payload)),
      notifications.onRenewed(() => this.sweep()),
      notifications.onJobChanged(({ id }) => {
        const attempt = this.#awaited.get(id);
        if (attempt === undefined) return;
        this.#runs.get(attempt)?.wake(id);
        this.#push(attempt);
      }),
    ];
  }

  /** Looks for bakes that are new, and at some that nothing was heard of. */
  sweep(): void {
    this.#after(async () => {
      await this.#discover();
      this.#lookAtQuiet();
      await endForsaken(this.#deps);
      await this.#metrics.tell(this.#deps.database.db);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends) end();
    for (const timer of this.#full.values()) clearTimeout(timer);
    await this.swept;
    await Promise.all(this.#busy.values());
    this.#metrics.close();
  }

  #heard(payload: string): void {
    const { attempt } = flowChanged.parse(JSON.parse(payload));
    if (this.#known.has(attempt)) {
      this.#runs.get(attempt)?.wake();
      this.#push(attempt);
    } else if (!this.#discovering) {
      this.#discovering = true;
      this.#after(() => this.#discover());
    }
  }

  /** One after the other. */
  #after(look: () => Promise<void>): void {
    this.swept = this.swept
      .then(() => (this.#closed ? undefined : look()))
      .catch((error: unknown) => {
        this.#deps.log.warn({ error }, 'bakes could not be looked at');
      });
  }

  async #discover(): Promise<void> {
    this.#discovering = false;
    const { rows } = await sql<{ id: string; place: string }>`
      select id, place from (
        select a.id, a.created_at, p.org || '/' || p.project as place,
          row_number() over (partition by p.org, p.project order by a.created_at, a.id) as nth
        from flow_attempts a join flow_bakes b on b.id = a.bake join flow_projects p on p.id = b.flow
        where a.engine and a.settled_at is null
      ) as open order by nth, created_at limit ${MOST_BAKES}`.execute(this.#deps.database.db);
    const open = new Set(rows.map(({ id }) => id));
    for (const attempt of this.#known.keys()) if (!open.has(attempt) && !this.#busy.has(attempt)) this.#forget(attempt);
    for (const { id, place } of rows) {
      if (this.#known.has(id)) continue;
      this.#known.set(id, { group: place, looked: Date.now() });
      this.#push(id);
    }
    this.#metrics.open(rows.length, Date.now());
  }

  #lookAtQuiet(): void {
    const quiet = [...this.#known].filter(([id]) => !this.#busy.has(id) && !this.#queue.has(id) && !this.#full.has(id));
    quiet.sort(([, a], [, b]) => a.looked - b.looked);
    for (const [id, known] of quiet.slice(0, SWEPT)) {
      known.looked = Date.now();
      this.#runs.get(id)?.wake();
      this.#push(id);
    }
  }

  /** It has its turn when those before it have had theirs. */
  #push(attempt: string): void {
    const known = this.#known.get(attempt);
    if (known === undefined || this.#closed) return;
    clearTimeout(this.#full.get(attempt));
    this.#full.delete(attempt);
    this.#metrics.wait(attempt, Date.now());
    if (this.#busy.has(attempt)) this.#again.add(attempt);
    else this.#queue.push(known.group, attempt);
    this.#pump();
  }

  #pump(): void {
    while (!this.#closed && this.#busy.size < STEPS) {
      const attempt = this.#queue.shift();
      if (attempt === undefined) return;
      if (this.#known.has(attempt)) this.#begin(attempt);
    }
  }

  #begin(attempt: string): void {
    const step = this.#step(attempt)
      .catch((error: unknown) => {
        // The next sweep looks at it first.
        this.#runs.delete(attempt);
        const known = this.#known.get(attempt);
        if (known !== undefined) known.looked = 0;
        this.#deps.log.warn({ error, attempt }, 'a bake is looked at anew');
      })
      .finally(() => {
        this.#busy.delete(attempt);
        if (this.#again.delete(attempt)) this.#push(attempt);
        this.#pump();
      });
    this.#busy.set(attempt, step);
  }

  async #step(attempt: string): Promise<void> {
    const run = await this.#run(attempt);
    if (run === undefined) {
      this.#forget(attempt);
      return;
    }
    try {
      const done = await run.step();
      this.#metrics.good(attempt);
      if (done === 'ended') this.#forget(attempt);
      else if (done === 'more') this.#again.add(attempt);
      else if (done === 'full') this.#later(attempt);
    } catch (error) {
      // A bake that has grown over what one may have.
      if (!(error instanceof DelosError) || error.code !== 'ERR_QUOTA_EXCEEDED') throw error;
      const loaded = await loadBake(this.#deps, attempt);
      this.#forget(attempt);
      if (loaded !== undefined) await giveUp(this.#deps, 'why' in loaded ? loaded.of : loaded, error.message);
    }
  }

  async #run(attempt: string): Promise<BakeRun | undefined> {
    const held = this.#runs.get(attempt);
    if (held !== undefined) {
      // The last that is let go.
      this.#runs.delete(attempt);
      this.#runs.set(attempt, held);
      return held;
    }
    // One after the other: what a bake takes is known when it is there.
    const load = this.#loading.then(async () => {
      await this.#makeRoom();
      const loaded = await loadBake(this.#deps, attempt);
      if (loaded === undefined) return undefined;
      if ('why' in loaded) {
        await giveUp(this.#deps, loaded.of, loaded.why);
        return undefined;
      }
      const run = new BakeRun(this.#deps, loaded, this.#awaited);
      this.#runs.set(attempt, run);
      return run;
    });
    this.#loading = load.catch(() => undefined);
    return load;
  }

  /** Lets bakes go that were carried on longest ago, and waits for those that are being carried on where these are too large. */
  async #makeRoom(): Promise<void> {
    for (;;) {
      let tasks = [...this.#runs.values()].reduce((sum, { size }) => sum + size, 0);
      for (const [attempt, run] of this.#runs) {
        if (tasks <= MOST_HELD) return;
        if (this.#busy.has(attempt)) continue;
        this.#runs.delete(attempt);
        tasks -= run.size;
      }
      if (tasks <= MOST_HELD) return;
      const held = [...this.#busy].flatMap(([attempt, step]) => (this.#runs.has(attempt) ? [step] : []));
      if (held.length === 0) return;
      await Promise.race(held);
    }
  }

  #later(attempt: string): void {
    const wait = Math.max(FULL_MS, FULL_EACH_MS * this.#full.size);
    this.#full.set(
      attempt,
      setTimeout(() => this.#push(attempt), wait),
    );
  }

  #forget(attempt: string): void {
    const run = this.#runs.get(attempt);
    if (run !== undefined) run.forget();
    else for (const [job, of] of this.#awaited) if (of === attempt) this.#awaited.delete(job);
    this.#runs.delete(attempt);
    this.#known.delete(attempt);
    this.#metrics.good(attempt);
    clearTimeout(this.#full.get(attempt));
    this.#full.delete(attempt);
  }
}
