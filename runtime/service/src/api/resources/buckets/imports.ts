import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import { AwsClient } from 'aws4fetch';
import { openImport, sealImport } from '../../../db/buckets/imports.ts';
import type { BucketRow } from '../../../db/schema.ts';
import type { LiveSecret } from '../../../live-secret.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { projectFor } from '../../project-for.ts';
import { stillUser } from '../../still-user.ts';
import { type ImportRequest, importedCredentials } from './import-request.ts';
import { checkBuckets, nameTaken } from './make.ts';
import type { BucketSettings } from './settings.ts';

/*
 * Buckets that another provider has. The platform keeps the credentials that reach them, encrypted, and asks the provider nothing: clients and
 * jobs go there themselves.
 */

type Deps = Pick<ApiDeps, 'database' | 'settings'>;

/** Writes down a bucket of another provider. @throws DelosError with what to do; nothing is written then */
export async function importBucket(
  { database, settings: { secretsKey } }: Deps,
  settings: BucketSettings,
  caller: Caller,
  request: ImportRequest,
): Promise<BucketRow> {
  const keys = keysOf(secretsKey);
  await checkEndpoint(settings, request);
  return database.tx(async (tx) => {
    await stillUser(tx, caller);
    const project = await projectFor(tx, { org: request.org_name, name: request.project_name }, caller);
    await checkBuckets(tx, { project, perProject: settings.perProject });
    const id = `bucket-${randomUUID()}`;
    return tx
      .insertInto('buckets')
      .values({
        ...{ id, org: project.org, project: project.name, owner: caller.user, name: request.name ?? null },
        ...{ phase: 'kept', provider: request.provider, provider_bucket: request.provider_bucket_name },
        ...(await sealImport(tx, keys, id, request.credentials)),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
      .catch((error: unknown) => {
        throw nameTaken(error, request.name ?? '') ?? error;
      });
  });
}

/** Forgets a bucket of another provider, which keeps it with all that is in it. */
export async function forgetImport(
  { database: { db } }: Pick<ApiDeps, 'database'>,
  { id }: ImportedBucket,
): Promise<void> {
  await db.deleteFrom('buckets').where('id', '=', id).where('provider', 'is not', null).execute();
}

/** Where the provider is, where the request says so. */
function endpointOf({ credentials }: ImportRequest): string | undefined {
  if ('storage_endpoint' in credentials) return credentials.storage_endpoint;
  return 'endpoint_url' in credentials ? credentials.endpoint_url : undefined;
}

/** @throws DelosError ERR_REQUEST where jobs must not be led to the endpoint */
async function checkEndpoint({ endpoints }: BucketSettings, request: ImportRequest): Promise<void> {
  const url = endpointOf(request);
  if (url === undefined || endpoints === undefined) return;
  const { hostname, port, protocol } = new URL(url);
  const place = `${hostname}:${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`;
  if ((await endpoints(`${place}/bucket`)) === undefined) return;
  throw new DelosError('ERR_REQUEST', `${place} is in the local network or in the cluster`, {
    where: { field: 'credentials' },
    hint: 'name a public endpoint, or ask the administrator to add this one to buckets.allowedEndpoints of delos.yaml',
  });
}

/** A bucket of another provider. */
export type ImportedBucket = BucketRow & { readonly provider: string; readonly provider_bucket: string };

export const isImported = (row: BucketRow): row is ImportedBucket => row.provider !== null;

/**
 * What the client gives to the provider's library.
 * @throws DelosError ERR_CONFLICT where the platform cannot open what it keeps
 */
export function importedAccess({ settings: { secretsKey } }: Pick<ApiDeps, 'settings'>, row: ImportedBucket) {
  const credentials = openImport(keysOf(secretsKey), row);
  const parsed = importedCredentials.safeParse(credentials);
  if (!parsed.success) {
    throw new DelosError('ERR_CONFLICT', `the credentials of bucket ${row.name ?? row.id} cannot be decrypted`, {
      hint: 'remove it and import it again; its objects stay where they are',
    });
  }
  const expiry = 'sas_token' in parsed.data ? { expiry: expiryOf(parsed.data.sas_token) } : {};
  return {
    bucket_id: row.id,
    provider: row.provider,
    credentials: { bucket_name: row.provider_bucket, ...parsed.data, ...expiry },
  };
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * When a token of Azure ends, by its own field `se`. The client wants to know; of one that follows a policy nobody can say.
 * @see https://learn.microsoft.com/rest/api/storageservices/create-service-sas
 */
function expiryOf(token: string): string {
  const said = Date.parse(new URLSearchParams(token.replace(/^\?/, '')).get('se') ?? '');
  return new Date(Number.isNaN(said) ? Date.now() + DAY_MS : said).toISOString();
}

/**
 * An address that lets everybody read one object for a while.
 * @throws DelosError ERR_REQUEST for a provider that does not speak S3
 */
export async function importedUrl(
  deps: Pick<ApiDeps, 'settings'>,
  row: ImportedBucket,
  { key, seconds }: { readonly key: string; readonly seconds: number },
): Promise<string> {
  const { credentials } = importedAccess(deps, row);
  if (!('access_key_id' in credentials)) {
    throw new DelosError('ERR_REQUEST', `addresses of objects cannot be signed for provider ${row.provider}`, {
      hint: 'the provider’s own tools sign them',
    });
  }
  const { access_key_id: accessKeyId, secret_access_key: secretAccessKey, region_name: region } = credentials;
  const client = new AwsClient({ accessKeyId, secretAccessKey, service: 's3', region, retries: 0 });
  const endpoint = credentials.endpoint_url ?? `https://s3.${region}.amazonaws.com`;
  const path = key.split('/').map(encodeURIComponent).join('/');
  const url = `${endpoint.replace(/\/+$/, '')}/${encodeURIComponent(row.provider_bucket)}/${path}?X-Amz-Expires=${seconds}`;
  return (await client.sign(url, { aws: { signQuery: true } })).url;
}

function keysOf(secretsKey: LiveSecret | undefined): LiveSecret {
  if (secretsKey !== undefined) return secretsKey;
  throw new DelosError(
    'ERR_NOT_IMPLEMENTED',
    'this platform keeps no secrets, and so no credentials of other providers',
  );
}
