import { type CreditsRequest, creditsRequest } from '@delos/core';
import { grainsOf } from '@delos/ledger';
import { pino } from 'pino';
import { answerRequest } from '../../request-command.ts';
import type { Environment } from '../../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../service-env.ts';
import { recordingCommand } from '../audit/append.ts';
import { connectDatabase, type Database } from '../database.ts';
import { giveCredits } from './books.ts';
import { creditsReport, creditsStatementOf, verifyCredits } from './report.ts';

/**
 * `delos-runtime credits`: credits of organizations and projects. Reached by `kubectl exec` alone, as `token` is. Answers one
 * JSON document on stdout, `{result}` or `{error}`. @returns the exit code
 */
export async function creditsCommand(environment: Environment, input: AsyncIterable<Buffer | string>): Promise<number> {
  return await answerRequest(creditsRequest, input, async (request) => {
    const env = readEnv(databaseEnv, environment);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1, patient: true }, log);
    try {
      const by = 'by' in request ? request.by : undefined;
      const object =
        'project' in request && request.project !== undefined
          ? `project ${request.org}/${request.project}`
          : `organization ${'org' in request ? request.org : ''}`;
      const asked = { act: `credits.${request.action}`, by, object, why: 'why' in request ? request.why : undefined };
      return await recordingCommand(database.db, asked, () => handleCredits(database, request, new Date()));
    } finally {
      await database.close();
    }
  });
}

/** One request. */
export async function handleCredits(
  database: Pick<Database, 'db' | 'tx'>,
  request: CreditsRequest,
  now: Date,
): Promise<unknown> {
  switch (request.action) {
    case 'add': {
      const { org, project, credits, key, by, why } = request;
      const given = { to: { org, project }, grains: grainsOf(credits), key, by, why };
      const done = await database.tx((tx) => giveCredits(tx, given, now));
      return { done, credits: await creditsReport(database.db, now, [org]) };
    }
    case 'show':
      return await creditsReport(database.db, now, request.org === undefined ? undefined : [request.org]);
    case 'statement':
      return await creditsStatementOf(database.db, request, new Date(request.from), new Date(request.to));
    case 'verify':
      return await verifyCredits(database.db);
  }
}
