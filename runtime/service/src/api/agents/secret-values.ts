import type { Desire, SecretValue } from '@delos/core';
import { jobToken } from '../../db/secrets/job-tokens.ts';
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
  const secretValues: SecretValue[] = [];
  for (const { org, project, key, passedConfig } of secrets) {
    const place = { cluster, org, project };
    secretValues.push(
      passedConfig === true
        ? configOf(await jobToken(db, secretsKey, desire.id), place, settings.publicUrl)
        : await secretValue(db, secretsKey, { ...place, name: key }),
    );
  }
  return { ...desire, spec: { ...desire.spec, secretValues } };
}

/** What the official client logs in by, as it reads it from its environment: base64 of JSON. */
function configOf(
  token: string | undefined,
  { cluster, org, project }: { readonly cluster: string; readonly org: string; readonly project: string },
  publicUrl: string,
): SecretValue {
  if (token === undefined) return { problem: 'its token for the platform cannot be decrypted: run it again' };
  const config = { token, cluster, url: `${publicUrl}/api/v1`, org_name: org, project_name: project };
  const variable = Buffer.from(JSON.stringify(config)).toString('base64');
  return { value: Buffer.from(variable).toString('base64') };
}
