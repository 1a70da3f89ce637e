import { type AuditRequest, auditRequest } from '@delos/core';
import { pino } from 'pino';
import { z } from 'zod';
import { liveSecret } from '../../live-secret.ts';
import { answerRequest } from '../../request-command.ts';
import type { Environment } from '../../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../service-env.ts';
import { connectDatabase, type Database } from '../database.ts';
import { recordingCommand } from './append.ts';
import { type AuditKeys, auditKeys, signChain } from './checkpoints.ts';
import { auditFilter, eraseFromAudit, exportAudit, readAudit, readAuditKeys } from './read.ts';

const settings = databaseEnv.extend({ DELOS_AUDIT_KEY_FILE: z.string().optional() });

/**
 * `delos-runtime audit`: records of who did what. Reached by `kubectl exec` alone, as `token` is. Answers one JSON document on
 * stdout, `{result}` or `{error}`. @returns the exit code
 */
export async function auditCommand(environment: Environment, input: AsyncIterable<Buffer | string>): Promise<number> {
  return await answerRequest(auditRequest, input, async (request) => {
    const env = readEnv(settings, environment);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      const file = env.DELOS_AUDIT_KEY_FILE;
      return await handleAudit(
        database,
        request,
        file === undefined ? undefined : auditKeys(liveSecret(file).current()),
      );
    } finally {
      await database.close();
    }
  });
}

/** One request. @param keys what signs; undefined: nothing does */
export async function handleAudit(
  database: Pick<Database, 'db' | 'tx'>,
  request: AuditRequest,
  keys: AuditKeys | undefined,
): Promise<unknown> {
  const { db } = database;
  switch (request.action) {
    case 'ls': {
      const { action: _, ...filter } = request;
      return await readAudit(db, auditFilter.parse(filter));
    }
    case 'export':
      if (request.sign && keys !== undefined) await signChain(db, keys, Date.now(), true);
      return await exportAudit(db, request.after, request.limit);
    case 'keys':
      if (keys !== undefined) await signChain(db, keys, Date.now(), true);
      return await readAuditKeys(db);
    case 'erase': {
      const { actor, by, why } = request;
      // Whose records they were is not said again.
      const asked = { act: 'audit.erase', by, object: 'what records tell of a person', why };
      return await recordingCommand(db, asked, async () => ({
        records: await database.tx((tx) => eraseFromAudit(tx, actor)),
      }));
    }
  }
}
