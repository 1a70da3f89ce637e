import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PLATFORM_NAMESPACE } from '@delos/core';
import { AwsClient } from 'aws4fetch';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { kubectl, loggedIn, testPlatform } from '../support/instance.ts';
import { codeOf } from '../support/objects/object-storage.ts';
import { IMAGE } from '../support/service/api.ts';
import { until } from '../support/until.ts';

/* The object storage as a Pod, from this machine through the gateway, as an operator would use it, and a user by the official client. */

const inPlatform = (...args: string[]): Promise<string> => kubectl(['-n', PLATFORM_NAMESPACE, ...args]);
const client = (accessKeyId: string, secretAccessKey: string): AwsClient =>
  new AwsClient({ accessKeyId, secretAccessKey, service: 's3', region: 'us-east-1', retries: 0 });

/** Another one in each run: with DELOS_TEST_KEEP that of an earlier run is still there. */
const BUCKET = `models-${process.pid}-${Date.now()}`;

describe('object storage', () => {
  let buckets: string;
  let admin: AwsClient;
  beforeAll(async () => {
    const { origin } = await testPlatform();
    buckets = `${origin}/s3`;
    const secret = await inPlatform('get', 'secret', 'object-storage-admin', '-o', 'jsonpath={.data.secret}');
    admin = client('delos_admin', Buffer.from(secret, 'base64').toString());
  });
  const put = (who: AwsClient, path: string, body: string) =>
    who.fetch(`${buckets}/${path}`, { method: 'PUT', body }).then(async (answer) => {
      return answer.ok ? answer.status : await codeOf(answer);
    });
  const issued = async (rights: string): Promise<AwsClient> => {
    const text = await inPlatform('exec', 'object-storage-0', '--', '/bin/objects', 'issue', BUCKET, rights, '600');
    const { accessKey, secretKey } = JSON.parse(text) as { accessKey: string; secretKey: string };
    return client(accessKey, secretKey);
  };

  test('an object is written and read through the gateway, by the administrator and by a credential for its bucket', async () => {
    expect(await put(admin, BUCKET, '')).toBe(200);
    const key = `${BUCKET}/größe%20und%2Bmehr/a.bin`;
    const writer = await issued('rw');
    expect(await put(writer, key, 'content')).toBe(200);
    const reader = await issued('r');
    expect(await (await reader.fetch(`${buckets}/${key}`)).text()).toBe('content');
    expect(await put(reader, key, 'other')).toBe('AccessDenied');
    expect(await put(writer, 'others/x', 'x')).toBe('NoSuchBucket');
    const url = new URL(`${buckets}/${key}`);
    url.searchParams.set('X-Amz-Expires', '60');
    const signed = await reader.sign(url.href, { aws: { signQuery: true } });
    expect(await (await fetch(signed.url)).text()).toBe('content');
    expect((await fetch(`${buckets}/${key}`)).status).toBe(403);
  });

  test('what the policy of a bucket denies is refused, and what it makes public anybody reads', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Deny', Principal: '*', Action: 's3:PutObject', Resource: `arn:aws:s3:::${BUCKET}/frozen/*` },
        { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${BUCKET}/public/*` },
      ],
    };
    expect(await put(admin, `${BUCKET}?policy`, JSON.stringify(policy))).toBe(204);
    const writer = await issued('rw');
    expect(await put(writer, `${BUCKET}/frozen/a`, 'x')).toBe('AccessDenied');
    expect(await put(writer, `${BUCKET}/public/a`, 'for all')).toBe(200);
    const page = await fetch(`${buckets}/${BUCKET}/public/a`);
    expect([await page.text(), page.headers.get('content-security-policy')]).toEqual([
      'for all',
      "sandbox; default-src 'none'",
    ]);
  });

  test('its objects are there after its Pod was killed', async () => {
    await inPlatform('delete', 'pod', 'object-storage-0', '--grace-period=0', '--force');
    const text = await until('the object is there again', 120, async (last) => {
      const answer = await admin.fetch(`${buckets}/${BUCKET}/public/a`, { signal: AbortSignal.timeout(30_000) });
      last(answer.status);
      return answer.status === 200 ? await answer.text() : undefined;
    });
    expect(text).toBe('for all');
  });
});

test('a project’s bucket is made, written, listed, read back, shared by an address and removed', async () => {
  const ann = await loggedIn('ann');
  onTestFinished(() => ann.close());
  const name = `data-${process.pid}`;
  await ann.ok(['blob', 'mkbucket', '--name', name]);
  await writeFile(join(ann.home, 'file'), 'of mine\n', { mode: 0o644 });
  await ann.ok(['blob', 'cp', 'file', `blob:${name}/some/file`]);
  expect(await ann.ok(['blob', 'ls', '-r', `blob:${name}`])).toContain(`blob:${name}/some/file`);
  await ann.ok(['blob', 'cp', `blob:${name}/some/file`, 'back']);
  expect(await readFile(join(ann.home, 'back'), 'utf8')).toBe('of mine\n');
  const url = (await ann.ok(['blob', 'sign-url', `blob:${name}/some/file`])).trim();
  expect(await (await fetch(url)).text()).toBe('of mine\n');
  // From a job the storage is reached through the gateway, and by no other way.
  const inside = 'http://gateway.delos.svc.cluster.local:8080';
  const bucket = new URL(url).pathname;
  await ann.ok(['blob', 'set-bucket-publicity', name, 'public']);
  const straight = `http://object-storage.delos.svc.cluster.local:7070${bucket}`;
  const script = `curl -s ${inside}${bucket}; curl -s -m 5 ${straight} || echo closed`;
  expect(await ann.ok(['run', '-s', 'tiny', IMAGE, '--', 'sh', '-c', script])).toMatch(/of mine\n.*closed/s);
  await ann.ok(['blob', 'rmbucket', '--force', name]);
  expect(await ann.ok(['blob', 'lsbucket'])).not.toContain(name);
});
