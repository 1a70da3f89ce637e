import { type Desire, REGISTRY_SECRET_PREFIX, registryOf } from '@delos/core';
import { secretValue } from '../../db/secrets/rows.ts';
import type { ApiDeps } from '../deps.ts';
import { MOST_REGISTRY_SECRETS } from '../resources/secrets/limits.ts';
import { authOf } from '../resources/secrets/registry-auth.ts';

/**
 * A job that is about to start from a private registry, with what its project has of credentials for it: the first secret
 * by name that has some. All else as it is.
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
  const rows = await db
    .selectFrom('secrets')
    .select('name')
    .where('cluster', '=', cluster)
    .where('org', '=', org)
    .where('project', '=', project)
    .where('name', 'like', `${REGISTRY_SECRET_PREFIX}%`)
    .orderBy('name')
    .limit(MOST_REGISTRY_SECRETS)
    .execute();
  for (const { name } of rows) {
    const held = await secretValue(db, secretsKey, { cluster, org, project, name });
    const config = 'value' in held ? authOf(Buffer.from(held.value, 'base64'), registryOf(image)) : undefined;
    if (config !== undefined) return { ...desire, spec: { ...desire.spec, registryAuth: { secret: name, config } } };
  }
  return desire;
}
