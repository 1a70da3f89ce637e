import {
  CLUSTER_REGISTRY_SECRET_PREFIX,
  DelosError,
  isClusterRegistrySecret,
  isRegistrySecret,
  isUserRegistrySecret,
  REGISTRY_SECRET_PREFIX,
} from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { requirePresent } from '../../../db/clusters/present.ts';
import type { Tx } from '../../../db/schema.ts';
import { putSecret, type SecretPlace } from '../../../db/secrets/rows.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { sendArray } from '../../lists/send-array.ts';
import { depsAt } from '../../paths/cluster-paths.ts';
import { projectFor } from '../../project-for.ts';
import { route } from '../../route.ts';
import { stillUser } from '../../still-user.ts';
import { findSecret } from './find.ts';
import { checkSecretLimits } from './limits.ts';
import { listSecrets, secretJson } from './list.ts';
import { registryAuthFault } from './registry-auth.ts';
import { LARGEST_BODY, secretQuery, secretRequest } from './request.ts';

const params = z.object({ key: z.string().min(1).max(253) });
const secret = z.looseObject({ key: z.string(), owner: z.string(), org_name: z.string(), project_name: z.string() });
const TAG = 'secrets';

/** Secrets: give a value, list, remove. No route gives a value back. */
export function secretRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '',
      tag: TAG,
      summary: 'Make a secret, or give it another value',
      body: secretRequest,
      largestBody: LARGEST_BODY,
      response: secret,
      success: [201],
    },
    async ({ body, caller, request, reply }) => {
      const { cluster } = (await depsAt(deps, request)).settings;
      const { value } = body;
      checkRegistrySecret(body.key, value);
      checkMayWrite(body.key, caller);
      const place = await database.tx(async (tx) => {
        await stillUser(tx, caller);
        const named = { org: body.org_name, name: body.project_name };
        const { org, name: project } = await projectFor(tx, named, caller, { kind: 'secret', cluster });
        const made = { cluster, org, project, name: body.key };
        await requirePresent(tx, settings.cluster, cluster);
        await checkSecretLimits(tx, made, value.length, caller.user);
        await checkOwner(tx, made, caller);
        await putSecret(tx, keys(), made, { value, owner: caller.user });
        return made;
      });
      deps.log.info({ secret: place.name, project: `${place.org}/${place.project}`, user: caller.user }, 'secret set');
      return reply.code(201).send(secretJson({ ...place, owner: caller.user }));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '', tag: TAG, summary: 'List secrets', query: secretQuery, response: z.array(secret) },
    async ({ query: { org_name: org, project_name: name }, caller, request, reply }) => {
      const { cluster } = (await depsAt(deps, request)).settings;
      return sendArray(listSecrets(database.db, cluster, caller, { org, name }), secretJson, reply);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:key',
      tag: TAG,
      summary: 'Says that no value is given back: jobs alone get them',
      params,
      query: secretQuery,
    },
    async ({ params: { key }, query: { org_name: org, project_name: name }, caller, request }) => {
      await findSecret(await depsAt(deps, request), caller, key, 'read', { org, name });
      throw new DelosError('ERR_FORBIDDEN', `the value of secret ${key} is given to jobs alone, and to nobody else`, {
        hint: `a job has it by -e NAME=secret:${key}, or by -v secret:${key}:/path/of/a/file`,
      });
    },
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      url: '/:key',
      tag: TAG,
      summary: 'Remove a secret; jobs that run keep what they have',
      params,
      query: secretQuery,
      success: [204],
    },
    async ({ params: { key }, query: { org_name: org, project_name: name }, caller, request, reply }) => {
      const found = await findSecret(await depsAt(deps, request), caller, key, 'write', { org, name });
      checkMayWrite(found.name, caller);
      await database.db
        .deleteFrom('secrets')
        .where('cluster', '=', found.cluster)
        .where('org', '=', found.org)
        .where('project', '=', found.project)
        .where('name', '=', found.name)
        .execute();
      deps.log.info(
        { secret: found.name, project: `${found.org}/${found.project}`, user: caller.user },
        'secret removed',
      );
      return reply.code(204).send();
    },
  );

  /** @throws DelosError ERR_REQUEST for a secret to pull images by that holds no credentials */
  function checkRegistrySecret(key: string, value: Buffer): void {
    const fault = isRegistrySecret(key) ? registryAuthFault(value) : undefined;
    if (fault === undefined) return;
    throw new DelosError('ERR_REQUEST', fault, {
      where: { field: 'value' },
      hint: `secrets whose names begin with ${REGISTRY_SECRET_PREFIX} are for pulling images: apolo-extras config build-registry-auth HOST USER PASSWORD makes the value`,
    });
  }

  /** @throws DelosError ERR_FORBIDDEN where it is another user's */
  async function checkOwner(tx: Tx, { cluster, org, project, name }: SecretPlace, caller: Caller): Promise<void> {
    if (!isUserRegistrySecret(name)) return;
    const row = await tx
      .selectFrom('secrets')
      .select('owner')
      .where('cluster', '=', cluster)
      .where('org', '=', org)
      .where('project', '=', project)
      .where('name', '=', name)
      .executeTakeFirst();
    if (row === undefined || row.owner === caller.user) return;
    throw new DelosError('ERR_FORBIDDEN', `secret ${name} of this project is ${row.owner}’s own`, {
      where: { field: 'key' },
      hint: `give yours another name: ${name}-${caller.user}`,
    });
  }

  function keys(): NonNullable<ApiDeps['settings']['secretsKey']> {
    if (settings.secretsKey !== undefined) return settings.secretsKey;
    throw new DelosError('ERR_INTERNAL', 'secrets are served without a key');
  }
}

/** @throws DelosError ERR_FORBIDDEN for a secret of the cluster, where the caller is no administrator of the platform */
function checkMayWrite(key: string, { user, admin }: Caller): void {
  if (!isClusterRegistrySecret(key) || admin) return;
  throw new DelosError(
    'ERR_FORBIDDEN',
    `${user} is no administrator of the platform, and secret ${key} is the cluster’s`,
    {
      where: { field: 'key' },
      hint: `secrets whose names begin with ${CLUSTER_REGISTRY_SECRET_PREFIX} are for the jobs of all; give yours another name`,
    },
  );
}
