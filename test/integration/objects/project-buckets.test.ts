import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { connect } from 'node:net';
import { bucketCredential, keptAccessKey, keptSecret } from '@delos/core';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  codeOf,
  elements,
  PROJECTS_KEY,
  type TestObjectStorage,
  testObjectStorage,
} from '../../support/objects/object-storage.ts';

/* The image's program with buckets of projects, as the control API and its users ask it. */

const KIB = 1024;
let storage: TestObjectStorage;
const [mine, theirs] = [`bucket-${randomUUID()}`, `bucket-${randomUUID()}`];

beforeAll(async () => {
  storage = await testObjectStorage(['reports'], {
    env: { DELOS_OBJECTS_BUCKET_BYTES: String(200 * KIB), DELOS_OBJECTS_BUCKET_OBJECTS: '20' },
  });
  for (const bucket of [mine, theirs]) {
    expect((await storage.ofProject(bucket, 'm').fetch(at(bucket), { method: 'PUT' })).status).toBe(200);
  }
  await put(storage.ofProject(theirs, 'rw'), `${theirs}/secret`, 'theirs');
  await put(storage.owner('reports'), 'reports/log', 'a log');
});
afterAll(() => storage?.stop());

const at = (path: string): string => `${storage.url}/s3/${path}`;
const put = (who: AwsClient, path: string, body: string | Uint8Array = 'text', headers: Record<string, string> = {}) =>
  who.fetch(at(path), { method: 'PUT', body: body as string, headers });
const get = (who: AwsClient, path: string) => who.fetch(at(path));
const policy = (who: AwsClient, bucket: string, statements: readonly object[]) =>
  who.fetch(at(`${bucket}?policy`), {
    method: 'PUT',
    body: JSON.stringify({ Version: '2012-10-17', Statement: statements }),
  });
const end = (): number => Math.floor(Date.now() / 1000) + 600;
const clientOf = (accessKeyId: string, secretAccessKey: string, sessionToken?: string): AwsClient =>
  new AwsClient({
    ...{ accessKeyId, secretAccessKey, service: 's3', region: 'us-east-1', retries: 0 },
    ...(sessionToken === undefined ? {} : { sessionToken }),
  });
/** As it is written, without a signature: fetch would tidy it. */
const raw = (method: string, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: storage.port, method, path }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });

describe('a credential for a project’s bucket', () => {
  test('with the token that clients show beside it is the same; with another one it is nobody’s', async () => {
    const { accessKey, secretKey } = bucketCredential(PROJECTS_KEY, { bucket: mine, rights: 'rw', end: end() });
    expect((await put(clientOf(accessKey, secretKey, accessKey), `${mine}/token`)).status).toBe(200);
    for (const token of ['x', bucketCredential(PROJECTS_KEY, { bucket: theirs, rights: 'rw', end: end() }).accessKey]) {
      expect((await put(clientOf(accessKey, secretKey, token), `${mine}/token`)).status).toBeGreaterThanOrEqual(400);
    }
  });

  test('is never one for a bucket of a service', async () => {
    expect(await codeOf(await get(storage.ofProject('reports', 'rw'), 'reports/log'))).toBe('InvalidAccessKeyId');
    expect(await codeOf(await storage.ofProject('job-logs', 'm').fetch(at('job-logs'), { method: 'PUT' }))).toBe(
      'InvalidAccessKeyId',
    );
  });

  test('to manage one bucket manages no other, and reads nothing', async () => {
    const manager = storage.ofProject(mine, 'm');
    expect(await codeOf(await get(manager, `${mine}/token`))).toBe('AccessDenied');
    expect(await codeOf(await get(manager, `${mine}?list-type=2`))).toBe('AccessDenied');
    expect(await codeOf(await manager.fetch(at(theirs), { method: 'DELETE' }))).toBe('AccessDenied');
    expect(await codeOf(await manager.fetch(at(`bucket-${randomUUID()}`), { method: 'PUT' }))).toBe('AccessDenied');
    expect(await codeOf(await policy(manager, theirs, [everybody(theirs)]))).toBe('AccessDenied');
  });
});

const everybody = (bucket: string) => ({
  ...{ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*` },
});

describe('whoever may read and write in one bucket', () => {
  test.each([
    ['by its name', () => `${theirs}/secret`],
    ['by dots', () => `${mine}/../${theirs}/secret`],
    ['by dots that are encoded', () => `${mine}/%2e%2e/${theirs}/secret`],
    ['by a slash that is encoded', () => `${mine}%2f..%2f${theirs}%2fsecret`],
    ['by slashes in a row', () => `${mine}/%2f..%2f${theirs}/secret`],
    ['by the folder of uploads', () => `${mine}/.sgwtmp/multipart`],
    ['by a service’s bucket', () => 'reports/log'],
  ])('does not reach another one %s', async (_how, path) => {
    const { accessKey, secretKey } = bucketCredential(PROJECTS_KEY, { bucket: mine, rights: 'rw', end: end() });
    const who = clientOf(accessKey, secretKey);
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      const signed = await who.sign(at(path()), { method });
      const answer = await fetch(signed);
      expect([method, answer.status >= 400 && answer.status < 500]).toEqual([method, true]);
    }
    expect(await (await get(storage.ofProject(theirs, 'r'), `${theirs}/secret`)).text()).toBe('theirs');
  });

  test('does not copy from another one, be it an object or a part', async () => {
    const who = storage.ofProject(mine, 'rw');
    for (const source of [`/${theirs}/secret`, `${theirs}%2Fsecret`, `/${mine}/../${theirs}/secret`, 'reports/log']) {
      const answer = await put(who, `${mine}/copy`, '', { 'x-amz-copy-source': source });
      expect([source, answer.status >= 400]).toEqual([source, true]);
    }
    const upload = await begin(who, mine, 'copied');
    const part = await put(who, `${mine}/copied?partNumber=1&uploadId=${upload}`, '', {
      'x-amz-copy-source': `/${theirs}/secret`,
    });
    expect(await codeOf(part)).toBe('AccessDenied');
  });

  test('does not go on with, see or end an upload of another one', async () => {
    const upload = await begin(storage.ofProject(theirs, 'rw'), theirs, 'large');
    const who = storage.ofProject(mine, 'rw');
    for (const [method, bucket] of [
      ['PUT', theirs],
      ['GET', theirs],
      ['DELETE', theirs],
      ['PUT', mine],
      ['GET', mine],
      ['DELETE', mine],
    ] as const) {
      const part = method === 'PUT' ? 'partNumber=1&' : '';
      const answer = await who.fetch(at(`${bucket}/large?${part}uploadId=${upload}`), {
        method,
        ...(method === 'PUT' ? { body: 'x' } : {}),
      });
      expect([method, bucket === mine, await codeOf(answer)]).toEqual([
        method,
        bucket === mine,
        bucket === mine ? 'NoSuchUpload' : 'AccessDenied',
      ]);
    }
    expect(await codeOf(await who.fetch(at(`${theirs}?uploads`)))).toBe('AccessDenied');
  });

  test('does not widen what may be done in it, nor lists buckets', async () => {
    const who = storage.ofProject(mine, 'rw');
    expect(await codeOf(await policy(who, mine, [everybody(mine)]))).toBe('AccessDenied');
    expect(await codeOf(await who.fetch(at(`${mine}?policy`), { method: 'DELETE' }))).toBe('AccessDenied');
    for (const what of ['acl', 'ownershipControls', 'versioning', 'publicAccessBlock', 'cors']) {
      const answer = await who.fetch(at(`${mine}?${what}`), { method: 'PUT', body: '<x/>' });
      expect([what, answer.status >= 400]).toEqual([what, true]);
    }
    // There are no ACLs: what asks for one is nobody's.
    await put(who, `${mine}/open`, 'x', { 'x-amz-acl': 'public-read' });
    expect(await raw('GET', `/s3/${mine}/open`)).toBe(403);
    expect(await codeOf(await who.fetch(at('')))).toBe('AccessDenied');
    expect(await codeOf(await who.fetch(at(mine), { method: 'DELETE' }))).toBe('AccessDenied');
  });

  test('gives away by an address what it is for, until its end', async () => {
    const who = storage.ofProject(theirs, 'r');
    const address = async (seconds: number): Promise<string> =>
      (await who.sign(`${at(`${theirs}/secret`)}?X-Amz-Expires=${seconds}`, { aws: { signQuery: true } })).url;
    const good = await address(60);
    expect(await (await fetch(good)).text()).toBe('theirs');
    for (const [what, altered] of [
      ['another key', good.replace('/secret?', '/other?')],
      ['another bucket', good.replace(theirs, mine)],
      ['a longer life', good.replace('X-Amz-Expires=60', 'X-Amz-Expires=600')],
      ['more rights', good.replace('delos_r_', 'delos_rw_')],
      ['a later end', good.replace(/delos_r_\d+/, `delos_r_${end() + 9999}`)],
      ['one more question', `${good}&response-content-type=text/html`],
    ] as const) {
      expect([what, (await fetch(altered)).status]).toEqual([what, 403]);
    }
    expect((await fetch(good, { method: 'PUT', body: 'x' })).status).toBe(403);
    const short = await address(1);
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect((await fetch(short)).status).toBe(403);
  });
});

const begin = async (who: AwsClient, bucket: string, key: string): Promise<string> => {
  const begun = await who.fetch(at(`${bucket}/${key}?uploads`), { method: 'POST' });
  return elements(await begun.text(), 'UploadId')[0] ?? '';
};

test('a client that waits for leave to send is given it before a refusal', async () => {
  // botocore's waits for it also after an answer, until the connection ends.
  const heard = await new Promise<string>((resolve, reject) => {
    const socket = connect(storage.port, '127.0.0.1');
    let text = '';
    socket.on('data', (data: Buffer) => {
      text += data.toString();
      if (text.endsWith('100 Continue\r\n\r\n')) socket.write('x');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.write(
      `PUT /s3/${mine}/%2e%2e/a HTTP/1.1\r\nHost: storage\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n`,
    );
  });
  expect([...heard.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => status)).toEqual(['100', '400']);
});

describe('an account that does not end', () => {
  test('may do what a policy says by its name, until that says nothing of it any more', async () => {
    const accessKey = keptAccessKey(PROJECTS_KEY);
    const who = clientOf(accessKey, keptSecret(['another', PROJECTS_KEY], accessKey) ?? '');
    await put(storage.ofProject(mine, 'rw'), `${mine}/kept`, 'kept');
    expect(await codeOf(await get(who, `${mine}/kept`))).toBe('AccessDenied');
    expect(await codeOf(await who.fetch(at('')))).toBe('AccessDenied');
    const manager = storage.ofProject(mine, 'm');
    const allowed = { ...everybody(mine), Principal: { AWS: [accessKey] } };
    expect((await policy(manager, mine, [allowed])).status).toBe(204);
    expect(await (await get(who, `${mine}/kept`)).text()).toBe('kept');
    expect(await codeOf(await put(who, `${mine}/kept`, 'changed'))).toBe('AccessDenied');
    expect(await codeOf(await get(who, `${theirs}/secret`))).toBe('AccessDenied');
    expect(await raw('GET', `/s3/${mine}/kept`)).toBe(403);
    // One that nobody has signed is nobody.
    const nobody = { ...allowed, Principal: { AWS: ['delos_k_00000000_000000000000'] } };
    expect(await codeOf(await policy(manager, mine, [nobody]))).toBe('MalformedPolicy');
    expect((await manager.fetch(at(`${mine}?policy`), { method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(await get(who, `${mine}/kept`))).toBe('AccessDenied');
  });
});

describe('a project’s bucket', () => {
  test('takes no more than its most, parts that are not ended included, and takes more once there is room', async () => {
    const bucket = `bucket-${randomUUID()}`;
    await storage.ofProject(bucket, 'm').fetch(at(bucket), { method: 'PUT' });
    const who = storage.ofProject(bucket, 'rw');
    const block = new Uint8Array(60 * KIB);
    expect((await put(who, `${bucket}/one`, block)).status).toBe(200);
    const upload = await begin(who, bucket, 'parts');
    expect((await put(who, `${bucket}/parts?partNumber=1&uploadId=${upload}`, block)).status).toBe(200);
    expect((await put(who, `${bucket}/two`, block)).status).toBe(200);
    const full = await put(who, `${bucket}/three`, block);
    expect([full.status, await codeOf(full)]).toEqual([403, 'QuotaExceeded']);
    expect(await codeOf(await put(who, `${bucket}/copy`, '', { 'x-amz-copy-source': `/${bucket}/one` }))).toBe(
      'QuotaExceeded',
    );
    await who.fetch(at(`${bucket}/two`), { method: 'DELETE' });
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    expect((await put(who, `${bucket}/three`, block)).status).toBe(200);
    const small = await Promise.all(Array.from({ length: 40 }, (_, nth) => put(who, `${bucket}/small/${nth}`, '')));
    expect(small.filter(({ status }) => status === 200).length).toBeLessThanOrEqual(18);
    expect(small.some(({ status }) => status === 403)).toBe(true);
    // Services have no such bound.
    expect((await put(storage.owner('reports'), 'reports/large', new Uint8Array(400 * KIB))).status).toBe(200);
  });

  test('is removed when it is empty, uploads that nobody ended included, and made once', async () => {
    const bucket = `bucket-${randomUUID()}`;
    const manager = storage.ofProject(bucket, 'm');
    await manager.fetch(at(bucket), { method: 'PUT' });
    expect((await manager.fetch(at(bucket), { method: 'PUT' })).status).toBe(409);
    const who = storage.ofProject(bucket, 'rw');
    await begin(who, bucket, 'never');
    await put(who, `${bucket}/a/b`);
    expect(await codeOf(await manager.fetch(at(bucket), { method: 'DELETE' }))).toBe('BucketNotEmpty');
    await who.fetch(at(`${bucket}/a/b`), { method: 'DELETE' });
    expect((await manager.fetch(at(bucket), { method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(await put(who, `${bucket}/late`))).toBe('NoSuchBucket');
  });
});
