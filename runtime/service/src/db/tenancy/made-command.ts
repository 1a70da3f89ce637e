import { madeRequest } from '@delos/core';
import { pino } from 'pino';
import { z } from 'zod';
import { answerRequest } from '../../request-command.ts';
import type { Environment } from '../../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../service-env.ts';
import { connectDatabase } from '../database.ts';
import { madeIn } from './made.ts';

const settings = databaseEnv.extend({ DELOS_CLUSTER: z.string().default('default') });

/** `delos-runtime made`: what administrators made at run time. Reached by `kubectl exec` alone. @returns the exit code */
export async function madeCommand(environment: Environment, input: AsyncIterable<Buffer | string>): Promise<number> {
  return await answerRequest(madeRequest, input, async () => {
    const env = readEnv(settings, environment);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      return await madeIn(database.db, env.DELOS_CLUSTER);
    } finally {
      await database.close();
    }
  });
}
