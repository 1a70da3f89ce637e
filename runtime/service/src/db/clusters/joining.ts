import { createHash, randomBytes } from 'node:crypto';
import { type Credentials, DelosError, type JoinRequest } from '@delos/core';
import type { Db, Tx } from '../schema.ts';
import { auditCluster, clustersChanged } from './changes.ts';
import type { Dialler } from './tables.ts';

/** Clusters beside the platform's own. Each is decided for by a loop of its own in the scheduler, over a connection of its own. */
export const MOST_JOINED = 16;

export const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/**
 * A token by which one cluster may join, once, for so long. A former one of that name is good no more.
 * @throws DelosError ERR_CONFLICT for the platform's own cluster, one that has joined, and one too many
 */
export async function makeJoinToken(
  tx: Tx,
  of: { readonly cluster: string; readonly own: string; readonly ttlSeconds: number; readonly by: string },
): Promise<{ readonly secret: string; readonly expiresAt: Date }> {
  const { cluster, own, ttlSeconds, by } = of;
  if (cluster === own) {
    throw new DelosError('ERR_CONFLICT', `${cluster} is the platform's own cluster`, {
      hint: 'give the other cluster a name of its own',
    });
  }
  await refuseJoined(tx, cluster);
  const { joined } = await tx
    .selectFrom('clusters')
    .select(({ fn }) => fn.countAll<number>().as('joined'))
    .where('joined_at', 'is not', null)
    .executeTakeFirstOrThrow();
  if (Number(joined) >= MOST_JOINED) {
    throw new DelosError('ERR_CONFLICT', `${joined} clusters have joined, the most of one platform`, {
      hint: '`delos clusters list` names them; one that is no more goes by `delos clusters remove NAME`',
    });
  }
  await tx.deleteFrom('join_tokens').where('cluster', '=', cluster).execute();
  const secret = randomBytes(32).toString('base64url');
  const expires = new Date(Date.now() + ttlSeconds * 1000);
  await tx
    .insertInto('join_tokens')
    .values({ digest: digestOf(secret), cluster, made_by: by, expires_at: expires, spent_for: null })
    .execute();
  await auditCluster(tx, {
    actor: by,
    action: 'cluster.invite',
    cluster,
    details: { expiresAt: expires.toISOString() },
  });
  return { secret, expiresAt: expires };
}

/** Its join token is good no more. What has joined stays. @returns whether one waited */
export async function revokeJoinToken(tx: Tx, cluster: string, by: string): Promise<boolean> {
  const { numDeletedRows } = await tx
    .deleteFrom('join_tokens')
    .where('cluster', '=', cluster)
    .where('spent_for', 'is', null)
    .executeTakeFirst();
  if (numDeletedRows === 0n) return false;
  await auditCluster(tx, { actor: by, action: 'cluster.uninvite', cluster, details: {} });
  return true;
}

/**
 * Trades a join token for the secrets whose digests are told. The same trade made again changes nothing.
 * @returns the cluster's name
 * @throws DelosError ERR_UNAUTHENTICATED for a token that is none, is over, or was traded for other secrets
 */
export async function joinCluster(tx: Tx, { token, agent, collector }: JoinRequest): Promise<string> {
  const row = await tx
    .selectFrom('join_tokens')
    .selectAll()
    .where('digest', '=', digestOf(token))
    .forUpdate()
    .executeTakeFirst();
  if (row?.spent_for === agent) return row.cluster;
  if (row === undefined || row.spent_for !== null || row.expires_at <= new Date()) {
    throw new DelosError(
      'ERR_UNAUTHENTICATED',
      'the join token is not valid: it is unknown, over, or was used already',
      {
        hint: 'make another one where the platform is: delos clusters token NAME',
      },
    );
  }
  const { cluster } = row;
  await refuseJoined(tx, cluster);
  await tx
    .insertInto('clusters')
    .values({ name: cluster, pools: '[]', presets: '[]', joined_at: new Date(), leaving_at: null, last_seen_at: null })
    .onConflict((on) =>
      on.column('name').doUpdateSet({ joined_at: new Date(), leaving_at: null, pools: '[]', presets: '[]' }),
    )
    .execute();
  await tx.updateTable('join_tokens').set({ spent_for: agent }).where('digest', '=', row.digest).execute();
  await setCredentials(tx, cluster, { agent: [agent], collector: [collector] });
  await auditCluster(tx, { actor: row.made_by, action: 'cluster.join', cluster, details: {} });
  await clustersChanged(tx, cluster);
  return cluster;
}

/** What a cluster's agent and collectors may show from now on, and nothing else. @throws DelosError ERR_CONFLICT */
export async function setCredentials(tx: Tx, cluster: string, { agent, collector }: Credentials): Promise<void> {
  const rows = [
    ...[...new Set(agent)].map((digest) => ({ digest, cluster, dialler: 'agent' as const })),
    ...[...new Set(collector)].map((digest) => ({ digest, cluster, dialler: 'collector' as const })),
  ];
  await tx.deleteFrom('cluster_credentials').where('cluster', '=', cluster).execute();
  await tx
    .insertInto('cluster_credentials')
    .values(rows)
    .execute()
    .catch((cause: unknown) => {
      throw new DelosError('ERR_CONFLICT', 'one of these secrets is in use already', {
        hint: 'each cluster, and each kind, makes a secret of its own',
        cause,
      });
    });
}

/** Whose secret this is; undefined where it is nobody's. */
export async function whoseCredential(
  db: Db,
  secret: string,
): Promise<{ readonly cluster: string; readonly dialler: Dialler } | undefined> {
  return await db
    .selectFrom('cluster_credentials')
    .innerJoin('clusters', 'clusters.name', 'cluster_credentials.cluster')
    .select(['cluster_credentials.cluster', 'cluster_credentials.dialler'])
    .where('cluster_credentials.digest', '=', digestOf(secret))
    .where('clusters.joined_at', 'is not', null)
    .executeTakeFirst();
}

/** Whether a cluster of that name has joined, and has not left since. */
export async function hasJoined(tx: Tx, cluster: string): Promise<boolean> {
  const row = await tx
    .selectFrom('clusters')
    .select('name')
    .where('name', '=', cluster)
    .where('joined_at', 'is not', null)
    .executeTakeFirst();
  return row !== undefined;
}

async function refuseJoined(tx: Tx, cluster: string): Promise<void> {
  if (!(await hasJoined(tx, cluster))) return;
  throw new DelosError('ERR_CONFLICT', `cluster ${cluster} has joined already`, {
    hint: 'let it leave first: `delos leave` there, or `delos clusters remove NAME` where the platform is',
  });
}
