import { type ClusterRequest, clusterRequest, DelosError, isDelosError } from '@delos/core';
import { pino } from 'pino';
import { z } from 'zod';
import type { Environment } from '../../service.ts';
import { databaseEnv, databaseSettings, readEnv } from '../../service-env.ts';
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
  try {
    const env = readEnv(settings, environment);
    const request = requestOf(await textOf(input));
    const log = pino({ level: 'error' }, pino.destination(2));
    const database = await connectDatabase({ ...databaseSettings(env), connections: 1 }, log);
    try {
      const platform = { own: env.DELOS_CLUSTER, url: env.DELOS_PUBLIC_URL.replace(/\/+$/, '') };
      write({ result: await handleClusters(database, platform, request) });
    } finally {
      await database.close();
    }
    return 0;
  } catch (error) {
    write({
      error: isDelosError(error)
        ? error
        : new DelosError('ERR_INTERNAL', error instanceof Error ? error.message : String(error)),
    });
    return 1;
  }
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

/** @throws DelosError ERR_REQUEST naming the first field that is wrong */
function requestOf(text: string): ClusterRequest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new DelosError('ERR_REQUEST', 'the request is not JSON');
  }
  const parsed = clusterRequest.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join('.') ?? '';
  throw new DelosError('ERR_REQUEST', issue?.message ?? 'not accepted', field === '' ? {} : { where: { field } });
}

async function textOf(input: AsyncIterable<Buffer | string>): Promise<string> {
  let text = '';
  for await (const part of input) text += part.toString();
  return text;
}

const write = (document: unknown): void => {
  process.stdout.write(`${JSON.stringify(document)}\n`);
};
