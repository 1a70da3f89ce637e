import type { Desire } from '@delos/core';
import { secretValue } from '../../db/secrets/rows.ts';
import type { ApiDeps } from '../deps.ts';

/**
 * A job that is about to start, with the values of its secrets. Values are read here and nowhere else, go to the agent of
 * the job's cluster alone, and are written nowhere. All else as it is.
 */
export async function withSecretValues(
  { database: { db }, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  cluster: string,
  desire: Desire,
): Promise<Desire> {
  const { secretsKey } = settings;
  if (desire.kind !== 'job' || desire.spec.action !== 'run') return desire;
  const { secrets = [] } = desire.spec.pod;
  if (secrets.length === 0 || secretsKey === undefined) return desire;
  const row = await db.selectFrom('jobs').select('phase').where('id', '=', desire.id).executeTakeFirst();
  // One that runs has them.
  if (row?.phase !== 'admitted') return desire;
  const secretValues = [];
  for (const { org, project, key } of secrets) {
    secretValues.push(await secretValue(db, secretsKey, { cluster, org, project, name: key }));
  }
  return { ...desire, spec: { ...desire.spec, secretValues } };
}
