import { pino } from 'pino';
import { z } from 'zod';
import { liveSecret } from '../../live-secret.ts';
import { answerRequest } from '../../request-command.ts';
import type { Environment } from '../../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../service-env.ts';
import { connectDatabase } from '../database.ts';
import { rewrapSecrets } from './rows.ts';

const settings = databaseEnv.extend({ DELOS_SECRETS_KEY_FILE: z.string() });

/**
 * `delos-runtime rewrap`: encrypts all secrets for the platform's current key, so that the former one can go. Reached by
 * `kubectl exec` alone, as `token` is. @returns the exit code
 */
export async function rewrapCommand(environment: Environment, input: AsyncIterable<Buffer | string>): Promise<number> {
  return await answerRequest(z.strictObject({}), input, async () => {
    const env = readEnv(settings, environment);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      return { changed: await rewrapSecrets(database, liveSecret(env.DELOS_SECRETS_KEY_FILE)) };
    } finally {
      await database.close();
    }
  });
}
