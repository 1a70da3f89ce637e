import { readFile } from 'node:fs/promises';
import { AwsClient } from 'aws4fetch';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { endUnfounded } from '../../../../runtime/service/src/api/resources/buckets/credentials.ts';
import { sweepBuckets } from '../../../../runtime/service/src/api/resources/buckets/sweep.ts';
import { applyConfig } from '../../../../runtime/service/src/db/apply-config.ts';
import { rewrapSecrets } from '../../../../runtime/service/src/db/secrets/rows.ts';
import { type LiveSecret, liveOf } from '../../../../runtime/service/src/live-secret.ts';
import { BUCKET_CONFIG, type BucketWorld, bucketWorld } from '../../../support/objects/bucket-world.ts';
import { codeOf } from '../../../support/objects/object-storage.ts';
import type { Answer } from '../../../support/service/control-api.ts';

/* Buckets of projects, by the API and by S3 through the gateway. */

let world: BucketWorld;
beforeAll(async () => {
  world = await bucketWorld();
});
afterAll(() => world?.stop());
afterEach(async () => {
  await world.database.tx((tx) => applyConfig(tx, BUCKET_CONFIG, 'default'));
  await world.database.db.deleteFrom('bucket_credentials').execute();
  await world.database.db.deleteFrom('buckets').execute();
});

const IN_ONE = 'org_name=acme&project_name=one';
const ask = (user: string, method: string, path: string, body?: unknown): Promise<Answer> =>
  world.api.request(user, method, `/buckets${path}`, body);
const make = (given: object = {}, user = 'alice'): Promise<Answer> =>
  ask(user, 'POST', '/buckets', { name: null, org_name: 'acme', project_name: 'one', ...given });
const made = async (given: object = {}): Promise<string> => {
  const { status, json, text } = await make(given);
  if (status !== 201) throw new Error(text);
  return json.id;
};
interface Credentials {
  readonly bucket_name: string;
  readonly endpoint_url: string;
  readonly access_key_id: string;
  readonly secret_access_key: string;
  readonly session_token?: string;
}
const clientOf = ({ access_key_id, secret_access_key, session_token }: Credentials): AwsClient =>
  new AwsClient({
    ...{
      accessKeyId: access_key_id,
      secretAccessKey: secret_access_key,
      service: 's3',
      region: 'us-east-1',
      retries: 0,
    },
    ...(session_token === undefined ? {} : { sessionToken: session_token }),
  });
const temporary = async (bucket: string, user = 'alice'): Promise<Credentials> =>
  (await ask(user, 'POST', `/buckets/${bucket}/make_tmp_credentials?${IN_ONE}`)).json.credentials;
const at = (bucket: string, key = ''): string => `${world.url}/s3/${bucket}/${key}`;
const put = async (with_: Credentials, bucket: string, key = 'key', body = 'text') =>
  clientOf(with_).fetch(at(bucket, key), { method: 'PUT', body });
const get = async (with_: Credentials, bucket: string, key = 'key') => clientOf(with_).fetch(at(bucket, key));

describe('making a bucket', () => {
  test('answers with the bucket as the client reads it', async () => {
    const { status, json } = await make({ name: 'data_1' });
    expect(status).toBe(201);
    expect(json).toEqual({
      id: expect.stringMatching(/^bucket-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
      ...{ name: 'data_1', owner: 'alice', provider: 'minio', org_name: 'acme', project_name: 'one' },
      ...{ imported: false, public: false, created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
    });
    const by = (query: string) => ask('alice', 'GET', `/buckets/find/by_path?path=${query}`);
    for (const path of ['acme/one/data_1', `acme/one/${json.id}/a/key`, '/acme/one/data_1/']) {
      expect((await by(path)).json).toEqual(json);
    }
    for (const path of [`acme/tight/${json.id}`, 'acme/one/none', '', 'data_1', `other/hidden/${json.id}`]) {
      expect([path, (await by(path)).status]).toEqual([path, 404]);
    }
    const listed = await ask('rita', 'GET', `/buckets?${IN_ONE}`);
    expect([listed.headers.get('content-type'), JSON.parse(listed.text)]).toEqual(['application/x-ndjson', json]);
    expect((await ask('bob', 'GET', '/buckets')).text).toBe('');
  });

  test.each<[string, object, number, RegExp]>([
    ['a name with capitals', { name: 'Data' }, 400, /^name: expected 3–40 lower-case letters/],
    ['a short name', { name: 'ab' }, 400, /^name: /],
    ['a name like an id', { name: 'bucket-0a1b2c3d-x' }, 400, /^name: must not look like the id/],
    ['a project of others', { org_name: 'other', project_name: 'hidden' }, 403, /no member of project other\/hidden/],
  ])('is refused with its field: %s', async (_what, given, status, words) => {
    const answer = await make(given);
    expect([answer.status, answer.json.error]).toEqual([status, expect.stringMatching(words)]);
  });

  test('is for writers, gives each name once in a project, and is bounded in number', async () => {
    expect((await make({}, 'rita')).json.code).toBe('ERR_FORBIDDEN');
    const answers = await Promise.all(Array.from({ length: 6 }, (_, nth) => make({ name: `same-${nth % 2}` })));
    // Room for both names is there: what is refused is refused for its name.
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(4);
    for (let nth = 0; nth < 6; nth += 1) await make({});
    expect((await make({})).json).toMatchObject({
      code: 'ERR_QUOTA_EXCEEDED',
      error: expect.stringContaining('5 buckets'),
    });
    expect((await make({ name: 'same-0', project_name: 'tight' })).status).toBe(201);
  });

  test('leaves nothing where the storage is away, and is settled once it is back', async () => {
    await world.storage.kill();
    const answer = await make({ name: 'away' });
    expect([answer.status, answer.json.error]).toEqual([503, expect.stringContaining('does not answer')]);
    expect((await ask('alice', 'GET', `/buckets?${IN_ONE}`)).text).toBe('');
    await world.storage.up();
    expect((await make({ name: 'away' })).status).toBe(201);
    await sql`update buckets set phase_at = now() - interval '1 hour'`.execute(world.database.db);
    await sweep();
    const { rows } = await sql<{ phase: string }>`select phase from buckets`.execute(world.database.db);
    expect(rows).toEqual([{ phase: 'kept' }]);
  });
});

const sweep = async (): Promise<void> => {
  const { settings } = world.api.deps;
  if (settings.buckets !== undefined) await sweepBuckets(world.api.deps, settings.buckets);
};

describe('temporary credentials', () => {
  test('of a writer read and write in this bucket, those of a reader read, and nobody else gets any', async () => {
    const [bucket, other] = [await made(), await made()];
    const writer = await temporary(bucket);
    expect(writer).toMatchObject({
      ...{ bucket_name: bucket, endpoint_url: `${world.url}/s3`, region_name: 'us-east-1' },
      session_token: expect.any(String),
    });
    expect((await put(writer, bucket)).status).toBe(200);
    expect(await codeOf(await put(writer, other))).toBe('AccessDenied');
    const reader = await temporary(bucket, 'rita');
    expect(await (await get(reader, bucket)).text()).toBe('text');
    expect(await codeOf(await put(reader, bucket))).toBe('AccessDenied');
    expect((await ask('bob', 'POST', `/buckets/${bucket}/make_tmp_credentials`)).status).toBe(404);
  });
});

describe('a public bucket', () => {
  test('is read by everybody, listed and written by nobody, until it is private again', async () => {
    const bucket = await made({ name: 'open' });
    await put(await temporary(bucket), bucket);
    expect((await fetch(at(bucket, 'key'))).status).toBe(403);
    const publish = (open: boolean, user = 'alice') => ask(user, 'PATCH', `/buckets/open?${IN_ONE}`, { public: open });
    expect((await publish(true, 'rita')).status).toBe(403);
    expect((await publish(true)).json).toMatchObject({ public: true });
    expect(await (await fetch(at(bucket, 'key'))).text()).toBe('text');
    expect((await fetch(`${at(bucket)}?list-type=2`)).status).toBe(403);
    expect((await fetch(at(bucket, 'key'), { method: 'PUT', body: 'x' })).status).toBe(403);
    await publish(false);
    expect((await fetch(at(bucket, 'key'))).status).toBe(403);
  });

  test('stays or becomes private where the storage was away', async () => {
    const [closed, open] = [await made(), await made()];
    for (const bucket of [closed, open]) await put(await temporary(bucket), bucket);
    const publish = (bucket: string, to: boolean) => ask('alice', 'PATCH', `/buckets/${bucket}`, { public: to });
    expect((await publish(open, true)).status).toBe(200);
    await world.storage.kill();
    expect([(await publish(closed, true)).status, (await publish(open, false)).status]).toEqual([503, 503]);
    await world.storage.up();
    expect((await fetch(at(open, 'key'))).status).toBe(200);
    await sweep();
    expect([(await fetch(at(closed, 'key'))).status, (await fetch(at(open, 'key'))).status]).toEqual([403, 403]);
  });
});

test('an address for one object is for everybody, of readers too, and for a week at most', async () => {
  const bucket = await made();
  const key = "größe/a b+c&d'(1).txt";
  const written = await put(await temporary(bucket), bucket, key.split('/').map(encodeURIComponent).join('/'));
  expect(written.status).toBe(200);
  const sign = (seconds: number, user = 'rita') =>
    ask(user, 'POST', `/buckets/${bucket}/sign_blob_url?owner=x`, { key, expires_in_sec: seconds });
  const { json } = await sign(60);
  expect(await (await fetch(json.url)).text()).toBe('text');
  expect((await sign(604_801)).json.error).toMatch(/^expires_in_sec: an address ends after a week at most/);
  expect((await sign(60, 'bob')).status).toBe(404);
});

describe('a credential that does not end', () => {
  const credential = (given: object, user = 'alice'): Promise<Answer> =>
    ask(user, 'POST', '/persistent_credentials', { name: null, read_only: false, ...given });

  test('reaches its buckets, is shown again to its user alone, and ends', async () => {
    const [one, other, third] = [await made({ name: 'one' }), await made(), await made()];
    const { status, json } = await credential({ name: 'robot', bucket_ids: [one, other] });
    expect([status, json]).toMatchObject([201, { name: 'robot', owner: 'alice', read_only: false }]);
    const [first] = json.credentials.map((each: { credentials: Credentials }) => each.credentials);
    expect(first.session_token).toBeUndefined();
    expect(json.credentials.map((each: { bucket_id: string }) => each.bucket_id)).toEqual([one, other].sort());
    for (const bucket of [one, other]) expect((await put(first, bucket)).status).toBe(200);
    expect(await codeOf(await put(first, third))).toBe('AccessDenied');
    expect((await clientOf(first).fetch(`${at(one)}?list-type=2`)).status).toBe(200);
    for (const by of ['robot', json.id]) {
      expect((await ask('alice', 'GET', `/persistent_credentials/${by}`)).json).toEqual(json);
      expect((await ask('noel', 'GET', `/persistent_credentials/${by}`)).status).toBe(404);
    }
    expect((await ask('alice', 'GET', '/persistent_credentials')).json).toEqual([json]);
    expect((await credential({ name: 'robot', bucket_ids: [one] })).status).toBe(409);
    expect((await ask('noel', 'DELETE', `/persistent_credentials/${json.id}`)).status).toBe(404);
    expect((await ask('alice', 'DELETE', '/persistent_credentials/robot')).status).toBe(204);
    expect(await codeOf(await get(first, one))).toBe('AccessDenied');
  });

  test('for reading alone may be a reader’s; a reader makes no other, and a stranger none', async () => {
    const bucket = await made();
    await put(await temporary(bucket), bucket);
    expect((await credential({ bucket_ids: [bucket] }, 'rita')).status).toBe(403);
    expect((await credential({ bucket_ids: [bucket], read_only: true }, 'bob')).status).toBe(404);
    const { json } = await credential({ bucket_ids: [bucket], read_only: true }, 'rita');
    const [{ credentials }] = json.credentials;
    expect((await get(credentials, bucket)).status).toBe(200);
    expect(await codeOf(await put(credentials, bucket))).toBe('AccessDenied');
  });

  test('ends with the right of its user, and leaves the other ones of the bucket alone', async () => {
    const bucket = await made();
    const mine = (await credential({ bucket_ids: [bucket] })).json.credentials[0].credentials;
    const noels = (await credential({ bucket_ids: [bucket] }, 'noel')).json.credentials[0].credentials;
    expect(await endUnfounded(world.api.deps)).toEqual([]);
    await sql`update members set role = 'reader' where user_name = 'noel'`.execute(world.database.db);
    expect(await endUnfounded(world.api.deps)).toHaveLength(1);
    await sweep();
    expect(await codeOf(await put(noels, bucket))).toBe('AccessDenied');
    expect((await put(mine, bucket)).status).toBe(200);
  });

  test('is one of 25 of a bucket at most, all of which work', async () => {
    const bucket = await made();
    const all: Answer[] = [];
    for (let nth = 0; nth < 25; nth += 1)
      all.push(await credential({ bucket_ids: [bucket], read_only: nth % 2 === 0 }));
    expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 25 }, () => 201));
    await ask('alice', 'PATCH', `/buckets/${bucket}`, { public: true });
    for (const { json } of [all[0], all[24]] as Answer[]) {
      expect(await codeOf(await get(json.credentials[0].credentials, bucket))).toBe('NoSuchKey');
    }
    expect((await credential({ bucket_ids: [bucket] })).json.code).toBe('ERR_QUOTA_EXCEEDED');
  });
});

describe('a bucket of another provider', () => {
  /** One that the same storage has for somebody else stands for it. */
  const keys = async () => {
    const { endpoint, accessKey, secretFile } = world.storage.settings('reports');
    const secret = (await readFile(secretFile, 'utf8')).trim();
    return { access_key_id: accessKey, secret_access_key: secret, region_name: 'us-east-1', endpoint_url: endpoint };
  };
  const of = {
    name: 'elsewhere',
    provider: 'aws',
    provider_bucket_name: 'reports',
    org_name: 'acme',
    project_name: 'one',
  };
  const imported = async (given: object = {}, user = 'alice'): Promise<Answer> =>
    ask(user, 'POST', '/buckets/import/external', { ...of, credentials: await keys(), ...given });

  test('is reached by the credentials that it was imported with, which no row has in the clear', async () => {
    const { status, json } = await imported();
    expect([status, json]).toMatchObject([201, { name: 'elsewhere', provider: 'aws', imported: true, public: false }]);
    const given = (await ask('alice', 'POST', `/buckets/${json.id}/make_tmp_credentials?${IN_ONE}`)).json;
    expect(given).toEqual({
      bucket_id: json.id,
      provider: 'aws',
      credentials: { bucket_name: 'reports', ...(await keys()) },
    });
    const object = `${given.credentials.endpoint_url}/reports/key`;
    expect((await clientOf(given.credentials).fetch(object, { method: 'PUT', body: 'text' })).status).toBe(200);
    const signed = await ask('alice', 'POST', `/buckets/${json.id}/sign_blob_url`, { key: 'key', expires_in_sec: 60 });
    expect(await (await fetch(signed.json.url)).text()).toBe('text');
    const { rows } = await sql<{ row: string }>`select buckets::text as row from buckets`.execute(world.database.db);
    const secret = (await keys()).secret_access_key;
    for (const form of ['utf8', 'hex', 'base64'] as const)
      expect(JSON.stringify(rows)).not.toContain(Buffer.from(secret).toString(form));
    expect((await ask('alice', 'DELETE', `/buckets/${json.id}`)).status).toBe(204);
    expect((await clientOf(given.credentials).fetch(object)).status).toBe(200);
  });

  test('gives its credentials to writers alone, and to nobody of another project', async () => {
    const { json } = await imported();
    const asked = (user: string) => ask(user, 'POST', `/buckets/${json.id}/make_tmp_credentials?${IN_ONE}`);
    expect([(await asked('rita')).status, (await asked('bob')).status]).toEqual([403, 404]);
    expect((await imported({ name: 'more' }, 'rita')).status).toBe(403);
    const kept = await ask('alice', 'POST', '/persistent_credentials', { bucket_ids: [json.id] });
    const open = await ask('alice', 'PATCH', `/buckets/${json.id}`, { public: true });
    expect([kept.status, open.status]).toEqual([400, 400]);
  });

  test('keeps its credentials through a change of the platform’s key', async () => {
    const { json } = await imported();
    const former = world.api.deps.settings.secretsKey;
    const next = 'another-key-of-secrets-9876543210';
    const turning: LiveSecret = { current: () => next, accepted: () => [next, ...(former?.accepted() ?? [])] };
    expect(await rewrapSecrets(world.database, turning)).toBe(1);
    Object.assign(world.api.deps.settings, { secretsKey: liveOf(next) });
    const given = await ask('alice', 'POST', `/buckets/${json.id}/make_tmp_credentials?${IN_ONE}`);
    Object.assign(world.api.deps.settings, { secretsKey: former });
    expect(given.json.credentials).toMatchObject(await keys());
  });

  const account = Buffer.from(JSON.stringify({ type: 'service_account', private_key: 'x' })).toString('base64');
  const azure = { storage_endpoint: 'https://account.blob.core.windows.net' };
  test.each([
    ['azure', { ...azure, credential: 'key' }, {}],
    ['azure', { ...azure, sas_token: 'sv=1&se=2030-01-02T03:04:05Z' }, { expiry: '2030-01-02T03:04:05.000Z' }],
    ['gcp', { key_data: account }, {}],
  ])('of %s has the credentials that the client gives to its library', async (provider, credentials, more) => {
    const { status, json } = await imported({ provider, credentials });
    expect([status, json.provider]).toEqual([201, provider]);
    const given = await ask('alice', 'POST', `/buckets/${json.id}/make_tmp_credentials?${IN_ONE}`);
    expect(given.json.credentials).toEqual({ bucket_name: 'reports', ...credentials, ...more });
    const signed = await ask('alice', 'POST', `/buckets/${json.id}/sign_blob_url`, { key: 'key' });
    expect(signed.status).toBe(400);
  });

  test.each([
    [
      'a provider without an endpoint',
      { provider: 'minio', credentials: { access_key_id: 'a', secret_access_key: 'b' } },
    ],
    [
      'an endpoint in a private network',
      { credentials: { access_key_id: 'a', secret_access_key: 'b', endpoint_url: 'http://10.1.2.3:9000' } },
    ],
    [
      'another service of this machine',
      { credentials: { access_key_id: 'a', secret_access_key: 'b', endpoint_url: 'http://127.0.0.1:1' } },
    ],
    [
      'an address of another kind',
      { credentials: { access_key_id: 'a', secret_access_key: 'b', endpoint_url: 'file:///etc/passwd' } },
    ],
    ['a key that is none', { provider: 'gcp', credentials: { key_data: 'bm90aGluZw==' } }],
    ['an unknown provider', { provider: 'tape' }],
  ])('is refused with %s', async (_, given) => {
    expect((await imported(given)).status).toBe(400);
    expect(await world.database.db.selectFrom('buckets').selectAll().execute()).toEqual([]);
  });
});

test('a bucket is removed when it is empty; until then its objects stay', async () => {
  const bucket = await made({ name: 'full' });
  const writer = await temporary(bucket);
  await put(writer, bucket);
  const remove = (user = 'alice') => ask(user, 'DELETE', `/buckets/${bucket}?${IN_ONE}`);
  expect([(await remove('rita')).status, (await remove('bob')).status]).toEqual([403, 404]);
  const full = await remove();
  expect([full.status, full.json.error]).toEqual([409, expect.stringContaining('rmbucket --force full')]);
  await clientOf(writer).fetch(at(bucket, 'key'), { method: 'DELETE' });
  expect((await remove()).status).toBe(204);
  expect((await remove()).status).toBe(404);
  expect(await codeOf(await put(writer, bucket))).toBe('NoSuchBucket');
});
