import { createHash, randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, elements, type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';

/* The image's program over loopback, with a real S3 client. Services have the buckets `reports` and `models`. */

let storage: TestObjectStorage;
beforeAll(async () => {
  storage = await testObjectStorage(['reports', 'models']);
});
afterAll(() => storage?.stop());

const at = (path: string): string => `${storage.url}/${path}`;
const escaped = (key: string): string => key.split('/').map(encodeURIComponent).join('/');
const put = (who: AwsClient, path: string, body: string | Buffer = 'text', headers: Record<string, string> = {}) =>
  who.fetch(at(path), { method: 'PUT', body: typeof body === 'string' ? body : new Uint8Array(body), headers });
const get = (who: AwsClient, path: string, headers: Record<string, string> = {}) => who.fetch(at(path), { headers });
/** As it is written, without a signature: fetch would tidy it. */
const raw = (method: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port: storage.port, method, path, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.on('error', reject);
    sent.end();
  });

describe('objects', () => {
  const KEYS = [
    'plain',
    'a/b/c.txt',
    'blanks in it/and more',
    'größe/中文/🙂',
    'percent%41/%2F',
    'plus+and&and=and?and#',
    'quote\'"<tag>',
    'tilde~._-!()*',
    'line\nbreak',
    ' blank at the ends ',
    '...three dots',
    `${'long'.repeat(63)}abc`,
    `${`${'x'.repeat(200)}/`.repeat(5)}end`,
    '.hidden',
  ];
  test.each(KEYS)('of the key %j are written, read, listed and removed, by either path', async (key) => {
    const owner = storage.owner('reports');
    const content = randomBytes(1000);
    const written = await put(owner, `reports/${escaped(key)}`, content, {
      'content-type': 'a/b',
      'x-amz-meta-from': 'me',
    });
    expect([written.status, await written.text()]).toEqual([200, '']);
    const read = await get(owner, `s3/reports/${escaped(key)}`);
    expect([read.status, Buffer.from(await read.arrayBuffer()).equals(content)]).toEqual([200, true]);
    expect(Object.fromEntries(read.headers)).toMatchObject({
      'content-type': 'a/b',
      'x-amz-meta-from': 'me',
      etag: `"${createHash('md5').update(content).digest('hex')}"`,
      'content-security-policy': "sandbox; default-src 'none'",
    });
    const part = await get(owner, `reports/${escaped(key)}`, { range: 'bytes=10-19' });
    expect([part.status, Buffer.from(await part.arrayBuffer()).equals(content.subarray(10, 20))]).toEqual([206, true]);
    const listed = await get(owner, `reports?list-type=2&prefix=${encodeURIComponent(key)}`);
    expect(elements(await listed.text(), 'Key')).toEqual([key]);
    expect((await owner.fetch(at(`s3/reports/${escaped(key)}`), { method: 'DELETE' })).status).toBe(204);
    expect(await codeOf(await get(owner, `reports/${escaped(key)}`))).toBe('NoSuchKey');
  });

  test('what is replaced is whole at every moment, and a copy is the same', async () => {
    const owner = storage.owner('models');
    const [one, other] = [Buffer.alloc(200_000, 1), Buffer.alloc(300_000, 2)];
    await put(owner, 'models/one', one);
    let over = false;
    const writing = (async () => {
      for (let nth = 0; nth < 20; nth += 1) await put(owner, 'models/one', nth % 2 === 0 ? other : one);
      over = true;
    })();
    const seen = new Set<string>();
    while (!over) {
      const bytes = Buffer.from(await (await get(owner, 'models/one')).arrayBuffer());
      seen.add(bytes.equals(one) ? 'one' : bytes.equals(other) ? 'other' : 'neither');
    }
    await writing;
    expect(seen).not.toContain('neither');
    const signed = storage.signed('models', 'rw');
    const copied = await put(signed, 'models/copy', '', { 'x-amz-copy-source': '/models/one' });
    expect(copied.status).toBe(200);
    expect(Buffer.from(await (await get(owner, 'models/copy')).arrayBuffer()).equals(one)).toBe(true);
  });

  test('in parts: begun, uploaded in any order, listed, completed; and aborted', async () => {
    const owner = storage.owner('models');
    const begin = async (): Promise<string> =>
      elements(await (await owner.fetch(at('models/in/parts?uploads'), { method: 'POST' })).text(), 'UploadId')[0] ??
      '';
    const id = await begin();
    const parts = [randomBytes(5 * 2 ** 20), randomBytes(5 * 2 ** 20), randomBytes(100)];
    const tags: string[] = [];
    for (const nth of [2, 0, 1]) {
      const answer = await put(owner, `models/in/parts?partNumber=${nth + 1}&uploadId=${id}`, parts[nth]);
      tags[nth] = answer.headers.get('etag') ?? '';
    }
    expect(elements(await (await get(owner, `models/in/parts?uploadId=${id}`)).text(), 'PartNumber')).toEqual([
      '1',
      '2',
      '3',
    ]);
    expect(elements(await (await get(owner, 'models?uploads')).text(), 'UploadId')).toEqual([id]);
    expect(await codeOf(await get(owner, 'models/in/parts'))).toBe('NoSuchKey');
    const list = tags.map((tag, nth) => `<Part><PartNumber>${nth + 1}</PartNumber><ETag>${tag}</ETag></Part>`).join('');
    const completed = await owner.fetch(at(`models/in/parts?uploadId=${id}`), {
      method: 'POST',
      body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`,
    });
    expect([completed.status, await completed.text()]).toEqual([200, expect.stringContaining('ETag')]);
    const whole = Buffer.from(await (await get(owner, 'models/in/parts')).arrayBuffer());
    expect(whole.equals(Buffer.concat(parts))).toBe(true);
    const other = await begin();
    expect((await owner.fetch(at(`models/in/parts?uploadId=${other}`), { method: 'DELETE' })).status).toBe(204);
    expect(elements(await (await get(owner, 'models?uploads')).text(), 'UploadId')).toEqual([]);
  });

  test('a list in pages has each key and each common prefix once, in the order of keys', async () => {
    const owner = storage.owner('reports');
    const names = ['a', 'a-', 'a.b', 'a/1', 'a/2/x', 'a/2/y', 'a0', 'b/', 'b/x', 'c/d/e/f', 'c-d', 'cc', 'z'].sort();
    for (const name of names) {
      // A name cannot be a file and a folder; a key that ends in a slash has no content.
      if (name === 'a') continue;
      expect((await put(owner, `reports/list/${name}`, name.endsWith('/') ? '' : 'x')).status).toBe(200);
    }
    const keys = names.filter((name) => name !== 'a').map((name) => `list/${name}`);
    for (const [prefix, delimiter] of [
      ['list/', ''],
      ['list/', '/'],
      ['list/a', '/'],
      ['list/c/d/', '/'],
      ['list/', '-'],
      ['list/nothing', ''],
    ] as const) {
      const expected = new Set<string>();
      for (const key of keys.filter((each) => each.startsWith(prefix))) {
        const end = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
        expected.add(end < 0 ? key : key.slice(0, end + 1));
      }
      for (const size of [1, 2, 3, 1000]) {
        const found: string[] = [];
        let token = '';
        for (let page = 0; page < 100; page += 1) {
          const query = new URLSearchParams({ 'list-type': '2', prefix, delimiter, 'max-keys': String(size) });
          if (token !== '') query.set('continuation-token', token);
          const text = await (await get(owner, `reports?${query}`)).text();
          const some = [
            ...elements(text, 'Key'),
            ...elements(text.replace(/^.*?<CommonPrefixes>/s, ''), 'Prefix'),
          ].filter((name) => name !== prefix || keys.includes(name));
          expect(some.length).toBeLessThanOrEqual(size);
          found.push(...some.sort());
          [token = ''] = elements(text, 'NextContinuationToken');
          if (elements(text, 'IsTruncated')[0] !== 'true') break;
          expect(token).not.toBe('');
        }
        expect([prefix, delimiter, size, found]).toEqual([prefix, delimiter, size, [...expected].sort()]);
      }
    }
  });
});

describe('who may do what', () => {
  beforeAll(async () => {
    await put(storage.owner('reports'), 'reports/kept');
    await put(storage.owner('models'), 'models/kept');
  });
  const who: Readonly<Record<string, () => AwsClient>> = {
    admin: () => storage.admin,
    'its owner': () => storage.owner('reports'),
    'another owner': () => storage.owner('models'),
    'rw for it': () => storage.signed('reports', 'rw'),
    'r for it': () => storage.signed('reports', 'r'),
    'w for it': () => storage.signed('reports', 'w'),
    'rw for another': () => storage.signed('models', 'rw'),
    'rw that has ended': () => storage.signed('reports', 'rw', -1),
    'rw for too long': () => storage.signed('reports', 'rw', 8 * 24 * 3600),
  };
  const requests: Readonly<
    Record<string, readonly [method: string, path: string, body?: string, headers?: Record<string, string>]>
  > = {
    read: ['GET', 'reports/kept'],
    list: ['GET', 'reports?list-type=2'],
    write: ['PUT', 'reports/written', 'x'],
    remove: ['DELETE', 'reports/none'],
    policy: ['PUT', 'reports?policy', '{"Version":"2012-10-17","Statement":[]}'],
    buckets: ['GET', ''],
    make: ['PUT', 'new-bucket'],
    destroy: ['DELETE', 'models'],
    copyIn: ['PUT', 'reports/copied', '', { 'x-amz-copy-source': '/models/kept' }],
  };
  test.each([
    ['admin', 'read list write remove buckets make copyIn', ''],
    ['its owner', 'read list write remove', 'AccessDenied'],
    ['another owner', '', 'AccessDenied'],
    ['rw for it', 'read list write remove', 'AccessDenied'],
    ['r for it', 'read list', 'AccessDenied'],
    ['w for it', 'write remove', 'AccessDenied'],
    ['rw for another', '', 'AccessDenied'],
    ['rw that has ended', '', 'ExpiredToken'],
    ['rw for too long', '', 'ExpiredToken'],
  ])('%s may %s, and nothing else', async (name, allowed, code) => {
    const found: Record<string, string | number> = {};
    for (const [what, [method, path, body, headers]] of Object.entries(requests)) {
      const answer = await (who[name]?.() ?? storage.admin).fetch(at(path), {
        method,
        ...(body === undefined ? {} : { body }),
        ...(headers === undefined ? {} : { headers }),
      });
      found[what] = answer.ok ? 'ok' : await codeOf(answer);
    }
    const may = allowed.split(' ');
    for (const what of Object.keys(requests)) {
      // The policy has no statement, and the bucket has objects: refused for what they are.
      const refused = name === 'admin' || (name === 'its owner' && what === 'policy') ? expect.any(String) : code;
      expect([what, found[what]]).toEqual([what, may.includes(what) ? 'ok' : refused]);
    }
  });

  test('nobody comes in without a signature, with another secret or with another region', async () => {
    for (const path of ['', 'reports', 'reports/kept', 's3/reports/kept']) {
      expect(await codeOf(await fetch(at(path)))).toBe('AccessDenied');
    }
    const wrong = storage.owner('reports');
    wrong.secretAccessKey = 'another';
    expect(await codeOf(await get(wrong, 'reports/kept'))).toBe('SignatureDoesNotMatch');
    wrong.accessKeyId = 'nobody';
    expect(await codeOf(await get(wrong, 'reports/kept'))).toBe('InvalidAccessKeyId');
    const elsewhere = storage.owner('reports');
    elsewhere.region = 'eu-west-1';
    expect((await get(elsewhere, 'reports/kept')).ok).toBe(false);
    // A right more than was signed.
    const reader = storage.signed('reports', 'r');
    reader.accessKeyId = reader.accessKeyId.replace('_r_', '_rw_');
    expect(await codeOf(await put(reader, 'reports/kept'))).toBe('SignatureDoesNotMatch');
  });

  test('what the program itself issues is of the same kind', async () => {
    const { stdout } = await storage.issue('reports', 'r', '60');
    const { accessKey, secretKey } = JSON.parse(stdout) as { accessKey: string; secretKey: string };
    const reader = storage.signed('reports', 'r');
    reader.accessKeyId = accessKey;
    reader.secretAccessKey = secretKey;
    expect((await get(reader, 'reports/kept')).status).toBe(200);
    for (const wrong of ['reports x 60', 'No-bucket r 60', 'reports r 0', 'reports r 604900', 'reports r x']) {
      const [bucket = '', rights = '', seconds = ''] = wrong.split(' ');
      expect((await storage.issue(bucket, rights, seconds)).code).toBe(1);
    }
  });

  test('a presigned URL does what it was signed for, as long as it says, and nothing else', async () => {
    const presigned = async (client: AwsClient, path: string, seconds: number, method = 'GET'): Promise<string> => {
      const url = new URL(at(path));
      url.searchParams.set('X-Amz-Expires', String(seconds));
      return (await client.sign(url.href, { method, aws: { signQuery: true } })).url;
    };
    for (const client of [storage.owner('reports'), storage.signed('reports', 'rw')]) {
      const url = await presigned(client, 's3/reports/kept', 60);
      expect((await fetch(url)).status).toBe(200);
      for (const other of [
        url.replace('/reports/kept', '/reports/written'),
        url.replace('/reports/', '/models/'),
        url.replace('Expires=60', 'Expires=600'),
        url.replace('/s3/', '/'),
      ]) {
        expect(await codeOf(await fetch(other))).toBe('SignatureDoesNotMatch');
      }
      expect((await fetch(url, { method: 'DELETE' })).status).toBe(403);
      const writing = await presigned(client, 's3/reports/by/url', 60, 'PUT');
      expect((await fetch(writing, { method: 'PUT', body: 'by url' })).status).toBe(200);
    }
    expect((await fetch(await presigned(storage.signed('models', 'rw'), 'reports/kept', 60))).status).toBe(403);
    expect(await codeOf(await fetch(await presigned(storage.signed('reports', 'rw', -5), 'reports/kept', 60)))).toBe(
      'ExpiredToken',
    );
    expect((await fetch(await presigned(storage.owner('reports'), 'reports/kept', 700_000))).ok).toBe(false);
  });
});

describe('a policy of a bucket', () => {
  const policy = (statement: object): string => JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
  const set = (text: string) => storage.owner('models').fetch(at('models?policy'), { method: 'PUT', body: text });

  test('refuses even its owner what it denies, and him alone nothing else', async () => {
    await put(storage.owner('models'), 'models/frozen/a');
    expect(
      (
        await set(
          policy({
            Effect: 'Deny',
            Principal: '*',
            Action: ['s3:PutObject', 's3:DeleteObject'],
            Resource: 'arn:aws:s3:::models/frozen/*',
          }),
        )
      ).status,
    ).toBe(204);
    for (const client of [storage.owner('models'), storage.signed('models', 'rw')]) {
      expect(await codeOf(await put(client, 'models/frozen/a'))).toBe('AccessDenied');
      expect(await codeOf(await client.fetch(at('models/frozen/a'), { method: 'DELETE' }))).toBe('AccessDenied');
      expect((await get(client, 'models/frozen/a')).status).toBe(200);
      expect((await put(client, 'models/free/a')).status).toBe(200);
    }
  });

  test('lets anybody read what it makes public, and nothing else; a signed credential stays in its bucket', async () => {
    await put(storage.owner('models'), 'models/public/page', 'hello', { 'content-type': 'text/html' });
    await put(storage.owner('models'), 'models/secret', 'secret');
    expect(
      (
        await set(
          policy({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::models/public/*' }),
        )
      ).status,
    ).toBe(204);
    const page = await fetch(at('s3/models/public/page'), { headers: { cookie: 'session=1' } });
    expect([page.status, await page.text(), page.headers.get('content-security-policy')]).toEqual([
      200,
      'hello',
      "sandbox; default-src 'none'",
    ]);
    expect(await codeOf(await fetch(at('models/secret')))).toBe('AccessDenied');
    expect(await codeOf(await fetch(at('models?list-type=2')))).toBe('AccessDenied');
    expect(await codeOf(await fetch(at('models/public/page'), { method: 'PUT', body: 'x' }))).toBe('AccessDenied');
    expect(await codeOf(await get(storage.signed('reports', 'rw'), 'models/public/page'))).toBe('AccessDenied');
    // Its owner can do all as before.
    expect((await put(storage.owner('models'), 'models/secret', 'more')).status).toBe(200);
    expect((await storage.owner('models').fetch(at('models?policy'), { method: 'DELETE' })).status).toBe(204);
    expect((await fetch(at('models/public/page'))).status).toBe(403);
  });

  test('is refused where it is too large for a file’s attribute, or names nobody', async () => {
    expect(
      await codeOf(
        await set(
          policy({
            Sid: 'x'.repeat(4000),
            Effect: 'Allow',
            Principal: '*',
            Action: 's3:GetObject',
            Resource: 'arn:aws:s3:::models/*',
          }),
        ),
      ),
    ).toBe('EntityTooLarge');
    expect(
      (
        await set(
          policy({
            Effect: 'Allow',
            Principal: { AWS: 'nobody' },
            Action: 's3:GetObject',
            Resource: 'arn:aws:s3:::models/*',
          }),
        )
      ).ok,
    ).toBe(false);
    expect(
      (
        await set(
          policy({ Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: 'arn:aws:s3:::reports/*' }),
        )
      ).ok,
    ).toBe(false);
  });
});

describe('names that lead elsewhere', () => {
  const SECRET = '../buckets/reports/secret-key';
  test.each([
    '/reports/../models/kept',
    '/reports/%2e%2e/models/kept',
    '/reports/..%2fmodels%2fkept',
    '/reports/a/../../models/kept',
    '/reports//kept',
    '/reports/./kept',
    '/reports/kept/.',
    '//reports/kept',
    '/../buckets/reports/secret-key',
    '/%2e%2e/buckets',
    '/..%2fbuckets/reports',
    '/.sgwtmp/x',
    '/reports/.sgwtmp/multipart',
    '/reports/a/.sgwtmp',
    '/reports/a%00b',
    '/reports/a%01b',
    '/reports/%ff',
    '/s3/../reports/kept',
    '/s3//reports/kept',
    '/s3/reports/../../models/kept',
    `/reports/${'k'.repeat(256)}`,
    `/reports/${'k/'.repeat(600)}`,
    '/UPPER/x',
    '/ab/x',
  ])('%s is refused before anything is asked', async (path) => {
    for (const method of ['GET', 'PUT', 'DELETE', 'HEAD']) {
      expect([method, await raw(method, path, method === 'PUT' ? { 'content-length': '0' } : {})]).toEqual([
        method,
        400,
      ]);
    }
  });

  test.each(['../models/kept', 'a/../../models/kept', '/models/kept', 'x//y', '.', '..', '.sgwtmp/x', ''])(
    'the key %j in a list of what to remove is refused',
    async (key) => {
      const body = `<Delete><Object><Key>${key}</Key></Object></Delete>`;
      const headers = { 'content-md5': createHash('md5').update(body).digest('base64') };
      const answer = await storage.owner('reports').fetch(at('reports?delete'), { method: 'POST', body, headers });
      expect([answer.ok, await get(storage.owner('models'), 'models/kept').then(({ status }) => status)]).toEqual([
        false,
        200,
      ]);
    },
  );

  test.each([
    `/reports/${SECRET}`,
    '/reports/../models/kept',
    '/../models/kept',
    'reports/..%2Fmodels%2Fkept',
    '/reports/%2e%2e/models/kept',
    '/reports',
    '/',
  ])('the source %j of a copy is refused', async (source) => {
    const answer = await put(storage.admin, 'reports/copied', '', { 'x-amz-copy-source': source });
    expect(answer.status).toBe(400);
  });

  test.each(['../', '../../', '../models/', '/', '//', '.sgwtmp/', 'a/../../models/', '\u0000'])(
    'nothing is listed of the prefix %j',
    async (prefix) => {
      for (const version of ['1', '2']) {
        const answer = await get(storage.admin, `reports?list-type=${version}&prefix=${encodeURIComponent(prefix)}`);
        expect(elements(await answer.text(), 'Key')).toEqual([]);
      }
    },
  );

  test.each(['..', '../..', '../../..', '../../../models', 'x', 'a/b', '%2e%2e'])(
    'the upload %j is none',
    async (id) => {
      const before = await readdir(join(storage.data, 'reports'));
      for (const [method, query] of [
        ['DELETE', ''],
        ['GET', ''],
        ['PUT', '&partNumber=1'],
        ['POST', ''],
      ] as const) {
        const answer = await storage.admin.fetch(at(`reports/kept?uploadId=${encodeURIComponent(id)}${query}`), {
          method,
          ...(method === 'PUT' || method === 'POST'
            ? {
                body: '<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>',
              }
            : {}),
        });
        expect([method, answer.ok]).toEqual([method, false]);
      }
      expect(await readdir(join(storage.data, 'reports'))).toEqual(before);
      expect((await get(storage.admin, 'reports/kept')).status).toBe(200);
    },
  );
});
