import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, rename, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { codeOf, elements, type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import { seeded } from '../../support/random.ts';
import { until } from '../../support/until.ts';

/* What the object storage does when it is killed, asked for too much, or left with uploads that nobody ends. */

let storage: TestObjectStorage;
beforeAll(async () => {
  storage = await testObjectStorage(['reports'], { uploadSeconds: 2 });
});
afterAll(() => storage?.stop());

const at = (path: string): string => `${storage.url}/${path}`;
const begin = async (key: string): Promise<string> => {
  const answer = await storage.owner('reports').fetch(at(`reports/${key}?uploads`), { method: 'POST' });
  return elements(await answer.text(), 'UploadId')[0] ?? '';
};

/** Bytes that say by themselves whether they are whole. */
function content(version: number, size: number): Buffer {
  const bytes = Buffer.concat([Buffer.from(`${version}\n`), randomBytes(size)]);
  return Buffer.concat([bytes, createHash('sha256').update(bytes).digest()]);
}
/** The version that was written. @throws Error for what is not whole */
function versionOf(bytes: Buffer): number {
  const [whole, sum] = [bytes.subarray(0, -32), bytes.subarray(-32)];
  if (!createHash('sha256').update(whole).digest().equals(sum)) throw new Error('half an object');
  return Number.parseInt(whole.toString('latin1'), 10);
}

test('killed at any instant, it has each object whole: the last that was acknowledged, or one that was under way', async () => {
  const acknowledged = new Map<string, number>();
  const begun = new Map<string, number>();
  const draw = seeded(11);
  let version = 0;
  for (let round = 0; round < 6; round += 1) {
    let over = false;
    const owner = storage.owner('reports');
    const writers = Array.from({ length: 6 }, async (_, nth) => {
      while (!over) {
        const key = `kill/${nth}/${Math.floor(draw() * 3)}`;
        version += 1;
        const own = version;
        begun.set(key, own);
        const body = new Uint8Array(content(own, Math.floor(draw() * 300_000)));
        const answer = await owner.fetch(at(`reports/${key}`), { method: 'PUT', body }).catch(() => undefined);
        if (answer?.status === 200) acknowledged.set(key, own);
        else if (answer === undefined) return;
      }
    });
    await sleep(100 + draw() * 200);
    await storage.kill();
    over = true;
    await Promise.all(writers);
    await storage.up();
    const listed = await owner.fetch(at('reports?list-type=2&prefix=kill/'));
    const keys = elements(await listed.text(), 'Key');
    for (const key of acknowledged.keys()) expect(keys).toContain(key);
    for (const key of keys) {
      const answer = await owner.fetch(at(`reports/${key}`));
      const bytes = Buffer.from(await answer.arrayBuffer());
      const found = versionOf(bytes);
      expect(answer.headers.get('etag')).toBe(`"${createHash('md5').update(bytes).digest('hex')}"`);
      expect([acknowledged.get(key) ?? found, begun.get(key)]).toContain(found);
      acknowledged.set(key, found);
    }
    // What never got a name is gone.
    const left = await readdir(join(storage.data, 'reports/.sgwtmp')).catch(() => []);
    expect(left.filter((name) => name !== 'multipart')).toEqual([]);
  }
  expect(acknowledged.size).toBeGreaterThan(5);
});

test('an upload that nobody ends is aborted after the stated time', async () => {
  const id = await begin('left');
  const owner = storage.owner('reports');
  await owner.fetch(at(`reports/left?partNumber=1&uploadId=${id}`), { method: 'PUT', body: 'part' });
  await until('the upload is aborted', 20, async () => {
    const answer = await owner.fetch(at(`reports/left?uploadId=${id}`));
    return (await codeOf(answer)) === 'NoSuchUpload' ? true : undefined;
  });
  expect(await readdir(join(storage.data, 'reports/.sgwtmp/multipart'))).toEqual([]);
  expect(storage.logged()).toContain('aborted a multipart upload in reports');
});

test('what was begun when it was killed is mended: an upload that was being completed, a bucket that was being made', async () => {
  const mended = await testObjectStorage(['reports']);
  try {
    const owner = mended.owner('reports');
    const url = `${mended.url}/reports/whole`;
    const [id = ''] = elements(await (await owner.fetch(`${url}?uploads`, { method: 'POST' })).text(), 'UploadId');
    const part = await owner.fetch(`${url}?partNumber=1&uploadId=${id}`, { method: 'PUT', body: 'all of it' });
    await mended.kill();
    // As it lies there in the middle of each.
    const uploads = join(mended.data, 'reports/.sgwtmp/multipart');
    const [folder = ''] = await readdir(uploads);
    await rename(join(uploads, folder, id), join(uploads, folder, `${id}.0123-1.inprogress`));
    await mkdir(join(mended.data, 'half-made'));
    await writeFile(join(mended.data, 'reports/.sgwtmp/0123.4567'), 'half an object');
    await mended.up();
    expect((await readdir(mended.data)).sort()).toEqual(['reports']);
    expect(await readdir(join(mended.data, 'reports/.sgwtmp'))).toEqual(['multipart']);
    const list = `<Part><PartNumber>1</PartNumber><ETag>${part.headers.get('etag')}</ETag></Part>`;
    const completed = await owner.fetch(`${url}?uploadId=${id}`, {
      method: 'POST',
      body: `<CompleteMultipartUpload>${list}</CompleteMultipartUpload>`,
    });
    expect(completed.status).toBe(200);
    expect(await (await owner.fetch(url)).text()).toBe('all of it');
  } finally {
    await mended.stop();
  }
});

describe('what is too much is refused, and says so', () => {
  const refused = (method: string, path: string, headers: Readonly<Record<string, string>>): Promise<string> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: storage.port, method, path, headers }, (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('end', () => {
          sent.destroy();
          resolve(elements(Buffer.concat(parts).toString(), 'Code')[0] ?? String(answer.statusCode));
        });
      });
      sent.on('error', reject);
      sent.flushHeaders();
    });
  const length = (bytes: number) => ({ 'content-length': String(bytes) });

  test.each([
    ['PUT', '/reports/x', length(5 * 2 ** 30 + 1), 'EntityTooLarge'],
    ['PUT', '/reports/x', { 'transfer-encoding': 'chunked' }, 'MissingContentLength'],
    ['PUT', '/reports/x', { ...length(1), 'x-amz-meta-long': 'm'.repeat(2049) }, 'MetadataTooLarge'],
    ['PUT', '/reports?policy', length(4 * 2 ** 20 + 1), 'EntityTooLarge'],
    ['PUT', '/reports/x', { ...length(1), 'x-amz-copy-source': '/reports/y' }, 'EntityTooLarge'],
    ['POST', '/reports?delete', length(4 * 2 ** 20 + 1), 'EntityTooLarge'],
    ['POST', '/reports', length(1), 'NotImplemented'],
    ['POST', '/reports/x?select&select-type=2', length(1), 'NotImplemented'],
    ['GET', '/reports/x', length(1), 'EntityTooLarge'],
    ['GET', '/reports?versions', {}, 'NotImplemented'],
    ['GET', '/reports?website', {}, 'NotImplemented'],
    ['PUT', '/reports?acl', length(0), 'NotImplemented'],
    ['PUT', '/reports?versioning', length(0), 'NotImplemented'],
    ['PATCH', '/create-user', length(0), 'MethodNotAllowed'],
    ['GET', '/reports?prefix=%zz', {}, 'InvalidArgument'],
  ] as const)('%s %s %j: %s', async (method, path, headers, code) => {
    expect(await refused(method, path, headers)).toBe(code);
  });

  test('a header that is too long ends its connection', async () => {
    const answer = refused('GET', '/reports', { 'x-long': 'x'.repeat(30_000) }).catch(({ code }) => code as string);
    expect(['431', 'ECONNRESET', 'EPIPE']).toContain(await answer);
  });

  test('a page has 1000 keys at most, and a bucket 1000 uploads that are not ended', async () => {
    const patient = await testObjectStorage(['reports']);
    try {
      const owner = patient.owner('reports');
      const many = async (count: number, one: (nth: number) => Promise<Response>): Promise<readonly number[]> => {
        const statuses: number[] = [];
        await Promise.all(
          Array.from({ length: 8 }, async (_, worker) => {
            for (let nth = worker; nth < count; nth += 8) {
              const answer = await one(nth);
              await answer.arrayBuffer();
              statuses.push(answer.status);
            }
          }),
        );
        return statuses;
      };
      const url = `${patient.url}/reports`;
      await many(1100, (nth) => owner.fetch(`${url}/page/${nth}`, { method: 'PUT', body: 'x' }));
      const page = await (await owner.fetch(`${url}?list-type=2&max-keys=100000`)).text();
      expect([elements(page, 'Key').length, elements(page, 'IsTruncated')]).toEqual([1000, ['true']]);
      const begun = await many(1010, (nth) => owner.fetch(`${url}/up/${nth}?uploads`, { method: 'POST' }));
      const taken = begun.filter((status) => status === 200).length;
      expect([taken >= 1000 && taken <= 1008, new Set(begun)]).toEqual([true, new Set([200, 400])]);
    } finally {
      await patient.stop();
    }
  });
});

test('it counts requests, bytes and the volume, in a few series whatever is asked', async () => {
  const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${storage.internalPort}/metrics`)).text();
  const owner = storage.owner('reports');
  const value = (text: string, name: string): number =>
    Number(new RegExp(`^${name.replace(/[{}"]/g, '\\$&')} (\\S+)$`, 'm').exec(text)?.[1] ?? 0);
  const before = await metrics();
  await owner.fetch(at('reports/counted'), { method: 'PUT', body: 'x'.repeat(1000) });
  await (await owner.fetch(at('reports/counted'))).text();
  await (await owner.fetch(at('reports/none'))).text();
  for (let nth = 0; nth < 20; nth += 1) await fetch(at(`bucket-${nth}/${nth}?${nth}=1`));
  const after = await metrics();
  const more = (name: string): number => value(after, name) - value(before, name);
  expect(more('delos_objects_requests_total{of="object",answer="2xx"}')).toBe(2);
  expect(more('delos_objects_received_bytes_total')).toBe(1000);
  expect(more('delos_objects_sent_bytes_total')).toBeGreaterThan(1000);
  expect(value(after, 'delos_objects_volume_bytes')).toBeGreaterThan(value(after, 'delos_objects_volume_free_bytes'));
  expect(after.split('\n').length).toBeLessThan(200);
  expect(after).not.toMatch(/bucket-|reports/);
});

test('told to end, it answers what is under way first', async () => {
  const answer = await storage.owner('reports').fetch(at('reports/last'), { method: 'PUT', body: 'x' });
  expect(answer.status).toBe(200);
  expect(await storage.end()).toBe(0);
  await storage.up();
});
