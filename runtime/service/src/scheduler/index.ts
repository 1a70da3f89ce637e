import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { z } from 'zod';
import { connectDatabase } from '../db/database.ts';
import { missingMigrations } from '../db/migrate.ts';
import type { Db } from '../db/schema.ts';
import type { Service } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { whileLeading } from './leader.ts';
import { type LeaderView, schedule } from './loop.ts';
import { schedulerMetrics } from './metrics.ts';
import { usageMetrics } from './usage-metrics.ts';

const schedulerEnv = databaseEnv.extend({ DELOS_CLUSTER: z.string().default('default') });

const SCHEMA_MS = 500;

/** Admits queued jobs and watches their clocks. Several may run: one leads, the others stand by. */
export const schedulerService: Service = {
  name: 'scheduler',
  start: async ({ env: environment, log, metrics, internal }) => {
    const env = readEnv(schedulerEnv, environment);
    const database = await connectDatabase({ ...databaseSettings(env), connections: 4 }, log);
    await database.notifications.start();
    const controller = new AbortController();
    let prepared = false;
    let leader: LeaderView | undefined;
    const told = schedulerMetrics(metrics, () => leader?.tally());
    usageMetrics(metrics, () => leader?.usage());
    // What `delos simulate --snapshot` reads. Not routed to the outside, as nothing of this listener is.
    internal.get('/snapshot', async (_request, reply) => {
      const snapshot = leader?.snapshot();
      return (
        snapshot ?? reply.code(404).send({ error: 'this scheduler does not decide (yet): ask the one that leads' })
      );
    });
    const lead = async (connection: Db): Promise<void> => {
      told.leads(true);
      try {
        await schedule(connection, database, env.DELOS_CLUSTER, log, controller.signal, {
          leads: (view) => {
            leader = view;
          },
          round: told.round,
        });
      } finally {
        told.leads(false);
        leader = undefined;
      }
    };
    const done = untilMigrated(database.db, log, controller.signal).then(() => {
      prepared = true;
      return whileLeading(database.db, env.DELOS_CLUSTER, log, controller.signal, lead);
    });
    return {
      unready: async () =>
        (await database.unhealthy()) ?? (prepared ? undefined : 'waits for the control API to prepare the database'),
      stop: async () => {
        controller.abort();
        await done;
        await database.close();
      },
      done,
    };
  },
};

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
