import { type TokenRequest, tokenRequest } from '@delos/core';
import { pino } from 'pino';
import { z } from 'zod';
import { recordingCommand } from '../db/audit/append.ts';
import { connectDatabase, type Database } from '../db/database.ts';
import { liveSecret } from '../live-secret.ts';
import { answerRequest } from '../request-command.ts';
import type { Environment } from '../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../service-env.ts';
import { type IssuerSettings, issueToken } from './issue.ts';
import { realmUrlOf } from './realm.ts';
import { listTokens, recordIssue, revokeToken } from './token-records.ts';

const settings = databaseEnv.extend({
  DELOS_OIDC_ISSUER: z.url(),
  DELOS_KEYCLOAK_URL: z.url(),
  DELOS_IDENTITY_ISSUER: z.string(),
});

/**
 * `delos-runtime token`: issues, revokes and lists tokens. Reached by `kubectl exec` alone, so that whoever may do it is
 * decided by the cluster's own access rules; no network port leads here. Answers one JSON document on stdout,
 * `{result}` or `{error}`. @returns the exit code
 */
export async function tokenCommand(environment: Environment, input: AsyncIterable<Buffer | string>): Promise<number> {
  return await answerRequest(tokenRequest, input, async (request) => {
    const env = readEnv(settings, environment);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      const issuer = {
        issuer: env.DELOS_OIDC_ISSUER,
        realmUrl: realmUrlOf(env.DELOS_KEYCLOAK_URL, env.DELOS_OIDC_ISSUER),
        secret: liveSecret(env.DELOS_IDENTITY_ISSUER),
      };
      const by = 'by' in request ? request.by : undefined;
      const object = 'user' in request ? request.user : 'id' in request ? request.id : '';
      const asked = { act: `token.${request.action}`, by, object };
      return await recordingCommand(database.db, asked, () => handleToken(database, issuer, request));
    } finally {
      await database.close();
    }
  });
}

/** One request, with its record and its audit line. */
export async function handleToken(
  database: Pick<Database, 'db' | 'tx'>,
  issuer: IssuerSettings,
  request: TokenRequest,
): Promise<unknown> {
  switch (request.action) {
    case 'list':
      return await listTokens(database.db);
    case 'revoke':
      return await database.tx((tx) => revokeToken(tx, request.id, request.by));
    case 'issue': {
      const token = await issueToken(issuer, request.user, request.ttlSeconds);
      await database.tx((tx) => recordIssue(tx, token, request.by));
      return { token: token.token, id: token.id, user: token.user, expiresAt: token.expiresAt.toISOString() };
    }
  }
}
