import { bucketCredential, DelosError, OBJECT_PATH } from '@delos/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { BucketRow } from '../../../db/schema.ts';
import { urisOf } from '../../authorization/grants.ts';
import type { ApiDeps } from '../../deps.ts';
import { depsAt } from '../../paths/cluster-paths.ts';
import { authorize, mayDo } from '../../rights.ts';
import { route } from '../../route.ts';
import { endCredential, findCredential, listCredentials, makeCredential, shown } from './credentials.ts';
import { findBucket, findByPath } from './find.ts';
import { importRequest } from './import-request.ts';
import { forgetImport, importBucket, importedAccess, importedUrl, isImported } from './imports.ts';
import { accessJson, bucketJson } from './json.ts';
import { listBuckets, sendBuckets } from './list.ts';
import { createBucket, dropBucket } from './make.ts';
import { publish } from './policy.ts';
import { bucketRequest, credentialRequest, publicity, urlRequest } from './request.ts';
import { type BucketSettings, REGION, signingKeys } from './settings.ts';
import { signedUrl } from './storage.ts';

const params = z.object({ id: z.string().min(1).max(128) });
const query = z.object({ org_name: z.string().max(256).optional(), project_name: z.string().max(256).optional() });
const bucket = z.looseObject({ id: z.string(), owner: z.string(), provider: z.string() });
const access = z.looseObject({ bucket_id: z.string(), credentials: z.record(z.string(), z.string()) });
const credential = z.looseObject({ id: z.string(), credentials: z.array(access) });
const TAG = 'buckets';
/** Of a credential for the client's own use of S3. It asks for another one before that. */
const LIFE_SECONDS = 3600;

/** Buckets: make, list, look, open to everybody, remove; and credentials for S3. */
export function bucketRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  const settingsOf = async (request: FastifyRequest): Promise<BucketSettings> => {
    const { settings } = await depsAt(deps, request);
    if (settings.cluster === deps.settings.cluster && settings.buckets !== undefined) return settings.buckets;
    throw new DelosError('ERR_NOT_IMPLEMENTED', `cluster ${settings.cluster} keeps no buckets of its own`, {
      hint: `those of the platform are reached through cluster ${deps.settings.cluster}: apolo config switch-cluster`,
    });
  };
  const endpoint = (): string => deps.settings.publicUrl + OBJECT_PATH;

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/buckets',
      tag: TAG,
      summary: 'Make a bucket',
      body: bucketRequest,
      response: bucket,
      success: [201],
    },
    async ({ body, caller, request, reply }) => {
      const row = await createBucket(deps, await settingsOf(request), caller, body);
      deps.log.info({ bucket: row.id, user: caller.user }, 'bucket made');
      return reply.code(201).send(bucketJson(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/buckets/import/external',
      tag: TAG,
      summary: 'Write down a bucket that another provider has, with the credentials that reach it',
      body: importRequest,
      response: bucket,
      success: [201],
    },
    async ({ body, caller, request, reply }) => {
      const row = await importBucket(deps, await settingsOf(request), caller, body);
      deps.log.info({ bucket: row.id, user: caller.user, provider: row.provider }, 'bucket imported');
      return reply.code(201).send(bucketJson(row));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/buckets', tag: TAG, summary: 'List buckets, as lines of JSON', query },
    async ({ query: { org_name: org, project_name: name }, caller, request, reply }) => {
      await settingsOf(request);
      return sendBuckets(listBuckets(database.db, deps.settings.cluster, caller, { org, name }), reply);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/buckets/find/by_path',
      tag: TAG,
      summary: 'The bucket of a path: organization, project and bucket',
      query: z.object({ path: z.string().max(4096) }),
      response: bucket,
    },
    async ({ query: { path }, caller, request }) => {
      await settingsOf(request);
      return bucketJson(await findByPath(deps, caller, path));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/buckets/:id',
      tag: TAG,
      summary: 'One bucket, by id or name',
      params,
      query,
      response: bucket,
    },
    async ({ params: { id }, query: { org_name: org, project_name: name }, caller, request }) => {
      await settingsOf(request);
      return bucketJson(await findBucket(deps, caller, id, 'read', { org, name }));
    },
  );

  route(
    app,
    deps,
    {
      method: 'PATCH',
      url: '/buckets/:id',
      tag: TAG,
      summary: 'Let everybody read its objects, or its project alone',
      params,
      query,
      body: publicity,
      response: bucket,
    },
    async ({ params: { id }, query: { org_name: org, project_name: name }, body, caller, request }) => {
      const settings = await settingsOf(request);
      const found = await findBucket(deps, caller, id, 'write', { org, name });
      if (isImported(found)) throw notOurs(found);
      const row = await publish(deps, settings, found.id, body.public);
      return bucketJson(row);
    },
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      url: '/buckets/:id',
      tag: TAG,
      summary: 'Remove an empty bucket',
      params,
      query,
      success: [204],
    },
    async ({ params: { id }, query: { org_name: org, project_name: name }, caller, request, reply }) => {
      const settings = await settingsOf(request);
      const found = await findBucket(deps, caller, id, 'write', { org, name });
      if (isImported(found)) await forgetImport(deps, found);
      else await dropBucket(deps, settings, found);
      deps.log.info({ bucket: found.id, user: caller.user }, 'bucket removed');
      return reply.code(204).send();
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/buckets/:id/make_tmp_credentials',
      tag: TAG,
      summary: 'Credentials of S3 for this bucket alone, for an hour: readers may only read',
      params,
      query,
      response: access,
    },
    async ({ params: { id }, query: { org_name: org, project_name: name }, caller, request }) => {
      const settings = await settingsOf(request);
      const row = await findBucket(deps, caller, id, 'read', { org, name });
      if (isImported(row)) {
        // They can do what the provider lets them: nobody gets more by them than the right here.
        return importedAccess(
          deps,
          authorize(caller, row, 'write', () => notOurs(row), urisOf('blob', deps.settings.cluster, row)),
        );
      }
      const rights = mayDo(caller, row, 'write', urisOf('blob', deps.settings.cluster, row)) ? 'rw' : 'r';
      const end = Math.floor(Date.now() / 1000) + LIFE_SECONDS;
      const given = bucketCredential(signingKeys(settings)[0], { bucket: row.id, rights, end });
      return accessJson({ bucket: row.id, endpoint: endpoint(), region: REGION, ...given, end: new Date(end * 1000) });
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/buckets/:id/sign_blob_url',
      tag: TAG,
      summary: 'An address that lets everybody read one object for a while',
      params,
      body: urlRequest,
      response: z.object({ url: z.string() }),
    },
    async ({ params: { id }, body, caller, request }) => {
      const settings = await settingsOf(request);
      const row = await findBucket(deps, caller, id, 'read');
      const wanted = { bucket: row.id, key: body.key, seconds: body.expires_in_sec };
      if (isImported(row)) return { url: await importedUrl(deps, row, wanted) };
      return { url: await signedUrl(settings, endpoint(), wanted) };
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/persistent_credentials',
      tag: TAG,
      summary: 'Make a credential of S3 that does not end, for some buckets',
      body: credentialRequest,
      response: credential,
      success: [201],
    },
    async ({ body, caller, request, reply }) => {
      const settings = await settingsOf(request);
      const row = await makeCredential(deps, settings, caller, body);
      deps.log.info({ credential: row.id, user: caller.user }, 'credential for buckets made');
      const [made] = await shown(deps, settings, [row]);
      return reply.code(201).send(made);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/persistent_credentials',
      tag: TAG,
      summary: 'List your own credentials',
      response: z.array(credential),
    },
    async ({ caller, request }) => {
      const settings = await settingsOf(request);
      return shown(deps, settings, await listCredentials(database.db, caller));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/persistent_credentials/:id',
      tag: TAG,
      summary: 'One credential, by id or name',
      params,
      response: credential,
    },
    async ({ params: { id }, caller, request }) => {
      const settings = await settingsOf(request);
      const [one] = await shown(deps, settings, [await findCredential(database.db, caller, id)]);
      return one;
    },
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      url: '/persistent_credentials/:id',
      tag: TAG,
      summary: 'End a credential',
      params,
      success: [204],
    },
    async ({ params: { id }, caller, request, reply }) => {
      const settings = await settingsOf(request);
      await endCredential(deps, settings, (await findCredential(database.db, caller, id)).id);
      return reply.code(204).send();
    },
  );
}

/** Who may read its objects is for its provider to say. */
function notOurs({ id, name }: BucketRow): DelosError {
  return new DelosError('ERR_REQUEST', `bucket ${name ?? id} is imported: its provider says who may read its objects`);
}
