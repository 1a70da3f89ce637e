import {
  CLUSTER_REGISTRY_SECRET_PREFIX,
  type Desire,
  isClusterRegistrySecret,
  isUserRegistrySecret,
  REGISTRY_SECRET_PREFIX,
  registryOf,
  USER_REGISTRY_SECRET_PREFIX,
} from '@delos/core';
import type { Db } from '../../db/schema.ts';
import { type SecretPlace, secretValue } from '../../db/secrets/rows.ts';
import type { ApiDeps } from '../deps.ts';
import { MOST_CLUSTER_REGISTRY_SECRETS, MOST_REGISTRY_SECRETS } from '../resources/secrets/limits.ts';
import { authOf } from '../resources/secrets/registry-auth.ts';

/**
 * A job that is about to start from a private registry, with the credentials for it that its owner has, else its project,
 * else the cluster: the first secret by name that has some. All else as it is.
 */
export async function withRegistryAuth(
  { database: { db }, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  cluster: string,
  desire: Desire,
): Promise<Desire> {
  const { secretsKey } = settings;
  if (desire.kind !== 'job' || desire.spec.action !== 'run' || desire.spec.pull !== undefined) return desire;
  if (secretsKey === undefined || desire.spec.podUid !== null) return desire;
  const { org, project, image } = desire.spec.pod;
  for (const place of await placesFor(db, { cluster, org, project, job: desire.id })) {
    const held = await secretValue(db, secretsKey, place);
    const config = 'value' in held ? authOf(Buffer.from(held.value, 'base64'), registryOf(image)) : undefined;
    if (config === undefined) continue;
    return { ...desire, spec: { ...desire.spec, registryAuth: { secret: place.name, config } } };
  }
  return desire;
}

interface Asking {
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
  readonly job: string;
}

/** Secrets that may be looked into for a job, in the order in which they count. */
async function placesFor(db: Db, { cluster, org, project, job }: Asking): Promise<readonly SecretPlace[]> {
  const all = db
    .selectFrom('secrets')
    .select(['cluster', 'org', 'project', 'name'])
    .where('cluster', '=', cluster)
    .orderBy('name')
    .orderBy('org')
    .orderBy('project');
  const [users, projects, clusters] = await Promise.all([
    all
      .where('name', 'like', `${USER_REGISTRY_SECRET_PREFIX}%`)
      .where('owner', '=', (of) => of.selectFrom('jobs').select('jobs.owner').where('jobs.id', '=', job))
      // A former user of that name is somebody else.
      .where('changed_at', '>=', (of) =>
        of
          .selectFrom('users')
          .innerJoin('jobs', 'jobs.owner', 'users.name')
          .select((by) => by.fn.max('users.made_at').as('made_at'))
          .where('jobs.id', '=', job)
          .where('users.removed_at', 'is', null),
      )
      .limit(MOST_REGISTRY_SECRETS)
      .execute(),
    all
      .where('org', '=', org)
      .where('project', '=', project)
      .where('name', 'like', `${REGISTRY_SECRET_PREFIX}%`)
      .limit(MOST_REGISTRY_SECRETS)
      .execute(),
    all.where('name', 'like', `${CLUSTER_REGISTRY_SECRET_PREFIX}%`).limit(MOST_CLUSTER_REGISTRY_SECRETS).execute(),
  ]);
  return [
    ...users.filter(({ name }) => isUserRegistrySecret(name)),
    ...projects.filter(({ name }) => !isUserRegistrySecret(name) && !isClusterRegistrySecret(name)),
    ...clusters.filter(({ name }) => isClusterRegistrySecret(name)),
  ];
}
