import type { Desire, SecretValue } from '@delos/core';
import { jobToken } from '../../db/secrets/job-tokens.ts';
import { secretValue } from '../../db/secrets/rows.ts';
import type { ApiDeps, ApiSettings } from '../deps.ts';
import { type BuildRights, buildCredential } from '../resources/registry/build-credential.ts';
import { ownRegistry } from '../resources/registry/platform-image.ts';

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
  for (const { org, project, key, passedConfig, imageBuild } of secrets) {
    const place = { cluster, org, project };
    if (imageBuild !== undefined) {
      secretValues.push(await keysOf(settings, { job: desire.id, ...imageBuild }));
      continue;
    }
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

/** What a build shows to the platform’s registry, as a Docker configuration. */
async function keysOf(
  settings: Pick<ApiSettings, 'registry' | 'publicUrl'>,
  rights: BuildRights,
): Promise<SecretValue> {
  const { registry } = settings;
  const host = ownRegistry(settings);
  if (registry === undefined || host === undefined)
    return { problem: 'this platform has no registry of images any more' };
  const password = await buildCredential(registry, rights, Math.floor(Date.now() / 1000));
  const auth = Buffer.from(`token:${password}`).toString('base64');
  return { value: Buffer.from(JSON.stringify({ auths: { [host]: { auth } } })).toString('base64') };
}
