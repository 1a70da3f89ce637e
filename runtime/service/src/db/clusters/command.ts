import { type ClusterRequest, clusterRequest } from '@delos/core';
import { pino } from 'pino';
import { z } from 'zod';
import { answerRequest } from '../../request-command.ts';
import type { Environment } from '../../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../service-env.ts';
import { recordingCommand } from '../audit/append.ts';
import { connectDatabase, type Database } from '../database.ts';
import { makeJoinToken, revokeJoinToken } from './joining.ts';
import { listClusters, removeCluster } from './leaving.ts';

const settings = databaseEnv.extend({ DELOS_CLUSTER: z.string().default('default'), DELOS_PUBLIC_URL: z.url() });

interface Platform {
  /** Its own cluster. */
  readonly own: string;
  readonly url: string;
}

/**
 * `delos-runtime clusters`: join tokens of further clusters. Reached by `kubectl exec` alone, as `token` is. Answers one JSON
 * document on stdout, `{result}` or `{error}`. @returns the exit code
 */
export async function clustersCommand(
  environment: Environment,
  input: AsyncIterable<Buffer | string>,
): Promise<number> {
  return await answerRequest(clusterRequest, input, async (request) => {
    const env = readEnv(settings, environment);
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      const platform = { own: env.DELOS_CLUSTER, url: env.DELOS_PUBLIC_URL.replace(/\/+$/, '') };
      const by = 'by' in request ? request.by : undefined;
      const object = 'cluster' in request ? `cluster ${request.cluster}` : '';
      const asked = { act: `cluster.${request.action}`, by, object };
      return await recordingCommand(database.db, asked, () => handleClusters(database, platform, request));
    } finally {
      await database.close();
    }
  });
}

/** One request, with its audit line. */
export async function handleClusters(
  database: Pick<Database, 'db' | 'tx'>,
  { own, url }: Platform,
  request: ClusterRequest,
): Promise<unknown> {
  switch (request.action) {
    case 'list':
      return await listClusters(database.db, own);
    case 'token': {
      const made = await database.tx((tx) => makeJoinToken(tx, { ...request, own }));
      return { secret: made.secret, url, expiresAt: made.expiresAt.toISOString() };
    }
    case 'revoke':
      return { revoked: await database.tx((tx) => revokeJoinToken(tx, request.cluster, request.by)) };
    case 'remove':
      return await database.tx((tx) => removeCluster(tx, request.cluster, request.by));
  }
}
