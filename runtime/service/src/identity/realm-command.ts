import { pino } from 'pino';
import { z } from 'zod';
import { connectDatabase } from '../db/database.ts';
import { whileKeepingRealm } from '../db/realm-wanted.ts';
import { answerRequest } from '../request-command.ts';
import type { Environment } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { convergeRealm } from './reconcile.ts';
import { adminOf, identitySecrets, keeperEnv, wantedRealm } from './settings.ts';

const settings = databaseEnv.extend(keeperEnv.shape);

/**
 * `delos-runtime realm`: tells Keycloak of the secrets that are current now, so that former ones can go. Reached by `kubectl exec`
 * alone, as `token` is. @returns the exit code
 */
export async function realmCommand(environment: Environment, input: AsyncIterable<Buffer | string>): Promise<number> {
  return await answerRequest(z.strictObject({}), input, async () => {
    const env = readEnv(settings, environment);
    const { spec } = await wantedRealm(env.DELOS_IDENTITY);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      const keep = async () => convergeRealm(adminOf(env), spec, await identitySecrets(env));
      return { changes: await whileKeepingRealm(database, keep) };
    } finally {
      await database.close();
    }
  });
}
