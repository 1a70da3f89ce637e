import { setTimeout as sleep } from 'node:timers/promises';
import { Counter, Gauge, type Registry } from 'prom-client';
import { connectDatabase } from '../db/database.ts';
import { missingMigrations } from '../db/migrate.ts';
import { PERSON_SEEN } from '../db/notifications.ts';
import type { Service } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { adminOf, identitySecrets, keeperEnv, providerSecrets, wantedRealm } from './settings.ts';
import { RealmKeeper, type Swept } from './sweep.ts';

const env = databaseEnv.extend(keeperEnv.shape);

/** People who wait to be looked at. More are left to the next sweep. */
const MOST_WAITING = 1000;

/**
 * Keeps the realm: compares it with what was deployed, puts back what was changed by hand, and reads the groups of
 * identity providers. It alone, of what runs on, may change Keycloak.
 */
export const identityService: Service = {
  name: 'identity',
  start: async ({ env: environment, log, metrics }) => {
    const settings = readEnv(env, environment);
    const wanted = await wantedRealm(settings.DELOS_IDENTITY);
    const database = await connectDatabase({ ...databaseSettings(settings), connections: 4 }, log);
    const told = keeperMetrics(metrics);
    const keeper = new RealmKeeper({
      admin: adminOf(settings),
      database,
      wanted,
      log,
      secrets: async () => ({
        own: await identitySecrets(settings),
        ...(await providerSecrets(settings.DELOS_PROVIDER_FILES)),
      }),
    });
    const waiting = new Set<string>();
    const controller = new AbortController();
    let wake = (): void => undefined;
    database.notifications.on(PERSON_SEEN, (subject) => {
      if (waiting.size < MOST_WAITING) waiting.add(subject);
      wake();
    });
    await database.notifications.start();
    const done = (async () => {
      let next = performance.now();
      while (!controller.signal.aborted) {
        try {
          if (performance.now() >= next) {
            next = performance.now() + wanted.spec.providers.sweepSeconds * 1000;
            if ((await missingMigrations(database.db)).length === 0) told(await keeper.sweep());
          }
          for (const subject of waiting) {
            waiting.delete(subject);
            await keeper.look(subject);
          }
        } catch (error) {
          if (!controller.signal.aborted) log.warn({ error }, 'the realm could not be looked at');
        }
        if (waiting.size > 0) continue;
        const called = new Promise<void>((resolve) => {
          wake = resolve;
        });
        const woken = new AbortController();
        const signal = AbortSignal.any([controller.signal, woken.signal]);
        const rest = sleep(Math.max(0, next - performance.now()), undefined, { signal }).catch(() => undefined);
        await Promise.race([called, rest]);
        woken.abort();
      }
    })();
    return {
      unready: () => database.unhealthy(),
      stop: async () => {
        controller.abort();
        await done;
        await database.close();
      },
      done,
    };
  },
};

function keeperMetrics(registry: Registry): (swept: Swept | undefined) => void {
  const registers = [registry];
  const up = new Gauge({
    name: 'delos_identity_provider_up',
    help: '1 where the provider can be asked',
    labelNames: ['provider'],
    registers,
  });
  const drift = new Counter({
    name: 'delos_identity_drift_total',
    help: 'What was changed by hand in the realm, and put back',
    registers,
  });
  return (swept) => {
    if (swept === undefined) return;
    drift.inc(swept.drift.length);
    up.reset();
    for (const [provider, { away }] of swept.providers) up.set({ provider }, away ? 0 : 1);
  };
}
