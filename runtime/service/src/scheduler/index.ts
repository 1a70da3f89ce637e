import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { MOST_JOINED } from '../db/clusters/joining.ts';
import { creditMetrics } from '../db/credits/metrics.ts';
import { connectDatabase } from '../db/database.ts';
import { missingMigrations } from '../db/migrate.ts';
import type { Db } from '../db/schema.ts';
import type { Service } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { Loops } from './loops.ts';
import { schedulerMetrics } from './metrics.ts';
import { usageMetrics } from './usage-metrics.ts';

const schedulerEnv = databaseEnv.extend({ DELOS_CLUSTER: z.string().default('default') });

const SCHEMA_MS = 500;
/** Connections beside one for each cluster, which holds the right to decide for it. */
const OTHER_CONNECTIONS = 3;

/** Admits queued jobs and watches their clocks. Several may run: one leads for a cluster, the others stand by. */
export const schedulerService: Service = {
  name: 'scheduler',
  start: async ({ env: environment, log, metrics, internal }) => {
    const env = readEnv(schedulerEnv, environment);
    const connections = OTHER_CONNECTIONS + 1 + MOST_JOINED;
    const database = await connectDatabase({ ...databaseSettings(env), connections }, log);
    await database.notifications.start();
    const controller = new AbortController();
    let prepared = false;
    const loops = new Loops(database, env.DELOS_CLUSTER, log, () => told);
    const told = schedulerMetrics(metrics, () => loops.told((view) => view.tally()));
    usageMetrics(metrics, () => loops.told((view) => view.usage()));
    // One tells: the one that decides for the platform's own cluster.
    creditMetrics(metrics, database.db, () => loops.views().has(env.DELOS_CLUSTER));
    // What `delos simulate --snapshot` reads. Not routed to the outside, as nothing of this listener is.
    internal.get('/snapshot', async (request, reply) => {
      const { cluster } = asked.parse(request.query);
      const snapshot = loops
        .views()
        .get(cluster ?? env.DELOS_CLUSTER)
        ?.snapshot();
      return (
        snapshot ?? reply.code(404).send({ error: 'this scheduler does not decide (yet): ask the one that leads' })
      );
    });
    const done = untilMigrated(database.db, log, controller.signal).then(async () => {
      prepared = true;
      if (!controller.signal.aborted) await loops.run();
    });
    return {
      unready: async () =>
        (await database.unhealthy()) ?? (prepared ? undefined : 'waits for the control API to prepare the database'),
      stop: async () => {
        controller.abort();
        await loops.close();
        await done;
        await database.close();
      },
      done,
    };
  },
};

const asked = z.object({ cluster: z.string().optional() });

/** The control API's `migrate` makes the tables, and brings them up to date: it may come later than this process. */
async function untilMigrated(db: Db, log: Logger, signal: AbortSignal): Promise<void> {
  for (let told = false; !signal.aborted; told = true) {
    const reason = await missingMigrations(db).then(
      (missing) => (missing.length === 0 ? undefined : `without ${missing.join(', ')}`),
      (error: unknown) => String(error),
    );
    if (reason === undefined) return;
    if (!told) log.info({ reason }, 'waiting for the database to be prepared');
    await sleep(SCHEMA_MS, undefined, { signal }).catch(() => undefined);
  }
}
