import type { Logger } from 'pino';
import { heldClusters } from '../db/clusters/present.ts';
import type { Database } from '../db/database.ts';
import { CLUSTERS_CHANGED } from '../db/notifications.ts';
import { detach, every } from '../edge/guard.ts';
import { whileLeading } from './leader.ts';
import { type LeaderView, schedule } from './loop.ts';
import type { OfClusters, SchedulerMetrics } from './metrics.ts';

/** The list of clusters is read again this often: a notification may be lost. */
const LOOK_MS = 15_000;

interface Led {
  readonly controller: AbortController;
  readonly done: Promise<void>;
  /** Undefined while another scheduler decides. */
  view: LeaderView | undefined;
}

/**
 * One loop for each cluster, which decides for it alone: a cluster that is cut off, or has ten thousand jobs, holds up no
 * other. A loop begins when its cluster has joined, and ends when it has left.
 */
export class Loops {
  readonly #database: Database;
  readonly #own: string;
  readonly #log: Logger;
  readonly #metrics: () => SchedulerMetrics;
  readonly #led = new Map<string, Led>();
  readonly #failed = Promise.withResolvers<void>();
  #ends: readonly (() => void)[] = [];
  #closed = false;

  constructor(database: Database, own: string, log: Logger, metrics: () => SchedulerMetrics) {
    this.#database = database;
    this.#own = own;
    this.#log = log;
    this.#metrics = metrics;
  }

  /** Leads, or stands by, from now on. Settles when the loop of the platform's own cluster has ended. */
  async run(): Promise<void> {
    if (this.#closed) return;
    const look = (): void => detach(this.#log, 'looking which clusters there are', () => this.#look());
    const { notifications } = this.#database;
    this.#ends = [
      notifications.on(CLUSTERS_CHANGED, look),
      notifications.onRenewed(look),
      every(LOOK_MS, this.#log, 'looking which clusters there are', look),
    ];
    this.#start(this.#own);
    look();
    await Promise.race([this.#led.get(this.#own)?.done, this.#failed.promise]);
  }

  /** Of the clusters that this scheduler decides for now. */
  views(): ReadonlyMap<string, LeaderView> {
    return new Map([...this.#led].flatMap(([cluster, { view }]) => (view === undefined ? [] : [[cluster, view]])));
  }

  /** What each of them tells: of the platform's own cluster without a name. */
  told<T>(tell: (view: LeaderView) => T): ReturnType<OfClusters<T>> {
    return [...this.views()].map(
      ([cluster, view]) => [cluster === this.#own ? undefined : cluster, tell(view)] as const,
    );
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const end of this.#ends) end();
    const led = [...this.#led.values()];
    for (const { controller } of led) controller.abort();
    await Promise.all(led.map(({ done }) => done));
    this.#failed.resolve();
  }

  async #look(): Promise<void> {
    const held = await heldClusters(this.#database.db, this.#own);
    if (this.#closed) return;
    for (const cluster of held) if (!this.#led.has(cluster)) this.#start(cluster);
    for (const [cluster, { controller, done }] of this.#led) {
      if (held.includes(cluster)) continue;
      controller.abort();
      await done;
      this.#led.delete(cluster);
    }
  }

  #start(cluster: string): void {
    const controller = new AbortController();
    const name = cluster === this.#own ? undefined : cluster;
    const lead = async (connection: Database['db']): Promise<void> => {
      const metrics = this.#metrics();
      metrics.leads(name, true);
      try {
        await schedule(connection, this.#database, cluster, this.#log.child({ cluster }), controller.signal, {
          leads: (view) => {
            led.view = view;
          },
          round: (round) => metrics.round(name, round),
        });
      } finally {
        metrics.leads(name, false);
        led.view = undefined;
      }
    };
    const led: Led = {
      controller,
      view: undefined,
      done: whileLeading(this.#database.db, cluster, this.#log, controller.signal, lead),
    };
    this.#led.set(cluster, led);
    // Never by itself; an error of one is one of the process, as it is where there is but one.
    led.done.catch((error: unknown) => this.#failed.reject(error));
  }
}
