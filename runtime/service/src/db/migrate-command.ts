import { isDelosError } from '@delos/core';
import { pino } from 'pino';
import { z } from 'zod';
import { readPlatformConfig } from '../platform-config.ts';
import type { Environment } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { applyConfig } from './apply-config.ts';
import { connectDatabase } from './database.ts';
import { migrate } from './migrate.ts';

const settings = databaseEnv.extend({ DELOS_CONFIG: z.string(), DELOS_CLUSTER: z.string().default('default') });

/** `delos-runtime migrate`: brings the database to this release and to the configuration. @returns the exit code */
export async function migrateCommand(environment: Environment): Promise<number> {
  const log = pino({ base: { service: 'migrate' }, errorKey: 'error' });
  try {
    const env = readEnv(settings, environment);
    const config = await readPlatformConfig(env.DELOS_CONFIG);
    const database = await connectDatabase({ ...databaseSettings(env), connections: 2, patient: true }, log);
    try {
      const applied = await migrate(database.db, undefined, {
        tell: (seconds) => log.info({ seconds }, 'another replica prepares the database: it is waited for'),
      });
      await database.tx((tx) => applyConfig(tx, config, env.DELOS_CLUSTER));
      log.info({ applied, cluster: env.DELOS_CLUSTER }, 'database is up to date');
      // Where Keycloak is not part of the deployment, its realm is somebody else's.
      if (environment.DELOS_KEYCLOAK_URL) {
        const { reconcileIdentity } = await import('../identity/index.ts');
        await reconcileIdentity(environment, database, log);
      }
    } finally {
      await database.close();
    }
    return 0;
  } catch (error) {
    log.fatal({ error }, isDelosError(error) ? error.render() : 'migration failed');
    return isDelosError(error) ? error.exitCode : 1;
  }
}
