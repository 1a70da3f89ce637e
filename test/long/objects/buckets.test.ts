import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ApoloClient, apoloClient } from '../../../peers/src/apolo.ts';
import { type BucketWorld, bucketWorld } from '../../support/objects/bucket-world.ts';

/* Every command of `apolo blob`, as two people in two projects give them; many keys; and kills under load. */

let world: BucketWorld;
let alice: ApoloClient;
let bob: ApoloClient;
beforeAll(async () => {
  [world, alice, bob] = await Promise.all([bucketWorld(), apoloClient(), apoloClient()]);
  for (const [user, client] of Object.entries({ alice, bob })) {
    await client.ok(['config', 'login-with-token', await world.issuer.token(user), `${world.url}/api/v1`]);
  }
});
afterAll(async () => {
  await Promise.all([alice?.close(), bob?.close()]);
  await world?.stop();
});

const blob = (...args: readonly string[]): Promise<string> => alice.ok(['blob', ...args]);
const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line.trim() !== '');
/** The client keeps folders as empty objects whose keys end with a slash. */
const files = (text: string): readonly string[] => lines(text).filter((line) => !line.trim().endsWith('/'));
const idOf = (text: string): string => /bucket-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.exec(text)?.[0] ?? '';

describe('the commands', () => {
  test('make, show, list and remove buckets', async () => {
    const id = idOf(await blob('mkbucket', '--name', 'first'));
    expect(id).not.toBe('');
    expect(await blob('lsbucket')).toContain('first');
    expect(await blob('lsbucket', '--full-uri')).toContain('blob://default/acme/one/first');
    expect(await blob('lsbucket', '--long-format')).toContain('minio');
    expect(await alice.ok(['-q', 'blob', 'lsbucket'])).toContain(id);
    for (const by of ['first', id]) expect(await blob('statbucket', by)).toContain(id);
    expect(await blob('ls')).toContain('first');
    expect((await bob.ok(['blob', 'lsbucket'])).includes('first')).toBe(false);
    for (const command of [
      ['statbucket', id],
      ['rmbucket', id],
      ['ls', `blob:/one/${id}`],
      ['du', id],
    ]) {
      expect([command[0], (await bob.run(['blob', ...command])).code]).toEqual([command[0], 72]);
    }
    const twice = await alice.run(['blob', 'mkbucket', '--name', 'first']);
    expect([twice.code, twice.stderr]).toEqual([65, expect.stringContaining('has a bucket named "first" already')]);
    expect(await blob('rmbucket', 'first')).toContain('successfully removed');
    expect((await alice.run(['blob', 'statbucket', 'first'])).code).toBe(72);
  });

  test('copy, list, match and remove objects, whole folders too', async () => {
    await blob('mkbucket', '--name', 'work');
    const folder = join(alice.home, 'tree');
    await mkdir(join(folder, 'sub/deep'), { recursive: true, mode: 0o755 });
    const contents = { 'a.txt': 'a', 'b.log': 'b', 'sub/c.txt': 'c', 'sub/deep/größe 1%.txt': 'd', empty: '' };
    for (const [name, text] of Object.entries(contents)) await writeFile(join(folder, name), text, { mode: 0o644 });
    await blob('cp', '-r', '-T', 'tree', 'blob:work/up');
    expect(files(await blob('ls', '-r', 'blob:work'))).toHaveLength(5);
    expect(await blob('ls', 'blob:work/up/')).toContain('sub');
    expect(await blob('ls', '-lh', 'blob:work/up/a.txt')).toContain('a.txt');
    expect(lines(await blob('glob', 'blob:work/up/*.txt'))).toEqual([expect.stringContaining('a.txt')]);
    expect(lines(await blob('glob', 'blob:work/**/*.txt'))).toHaveLength(3);
    expect(await blob('du', 'work')).toMatch(/Objects count: 8/);
    await blob('cp', '-r', '-T', 'blob:work/up', 'down');
    for (const [name, text] of Object.entries(contents)) {
      expect([name, await readFile(join(alice.home, 'down', name), 'utf8')]).toEqual([name, text]);
    }
    await blob('cp', '-r', '-T', '--exclude', '*', '--include', '*.log', 'tree', 'blob:work/logs');
    expect(files(await blob('ls', '-r', 'blob:work/logs/'))).toHaveLength(1);
    await blob('cp', '-u', 'tree/a.txt', 'blob:work/up/a.txt');
    expect((await alice.run(['blob', 'cp', 'blob:work/none', 'here'])).code).not.toBe(0);
    expect((await alice.run(['blob', 'rm', 'blob:work/up'])).code).not.toBe(0);
    await blob('rm', '-r', 'blob:work/up');
    expect(files(await blob('ls', '-r', 'blob:work'))).toHaveLength(1);
    const full = await alice.run(['blob', 'rmbucket', 'work']);
    expect([full.code, full.stderr]).toEqual([65, expect.stringContaining('is not empty')]);
    await blob('rmbucket', '--force', 'work');
  });

  test('open a bucket to everybody, sign addresses, and give credentials', async () => {
    const id = idOf(await blob('mkbucket', '--name', 'shared'));
    await writeFile(join(alice.home, 'one'), 'one', { mode: 0o644 });
    await blob('cp', 'one', 'blob:shared/one');
    const plain = `${world.url}/s3/${id}/one`;
    expect((await fetch(plain)).status).toBe(403);
    await blob('set-bucket-publicity', 'shared', 'public');
    expect(await (await fetch(plain)).text()).toBe('one');
    await blob('set-bucket-publicity', 'shared', 'private');
    expect((await fetch(plain)).status).toBe(403);
    const signed = (await blob('sign-url', '--expires', '5m', 'blob:shared/one')).trim();
    expect(await (await fetch(signed)).text()).toBe('one');
    expect(await blob('mkcredentials', '--name', 'robot', '--read-only', 'shared')).toContain('delos_k_');
    expect(await blob('lscredentials')).toContain('robot');
    expect(await blob('statcredentials', 'robot')).toContain(id);
    expect((await bob.ok(['blob', 'lscredentials'])).includes('robot')).toBe(false);
    expect((await bob.run(['blob', 'statcredentials', 'robot'])).code).toBe(72);
    await blob('rmcredentials', 'robot');
    expect((await alice.run(['blob', 'statcredentials', 'robot'])).code).toBe(72);
    await blob('rmbucket', '--force', 'shared');
  });
});

test('a bucket of another provider is imported, filled, listed and read where it is, and forgotten', async () => {
  const { endpoint, accessKey, secretFile } = world.storage.settings('reports');
  const secret = (await readFile(secretFile, 'utf8')).trim();
  const keys = ['--aws-access-key-id', accessKey, '--aws-secret-access-key', secret, '--aws-endpoint-url', endpoint];
  await blob('importbucket', '--name', 'elsewhere', '--provider', 'aws', '--provider-bucket-name', 'reports', ...keys);
  await writeFile(join(alice.home, 'report'), 'of elsewhere', { mode: 0o644 });
  await blob('cp', 'report', 'blob:elsewhere/folder/report');
  expect(files(await blob('ls', '-r', 'blob:elsewhere'))).toEqual([expect.stringContaining('folder/report')]);
  expect(await blob('du', 'elsewhere')).toContain('12');
  expect(await blob('statbucket', 'elsewhere')).toContain(accessKey);
  await blob('cp', 'blob:elsewhere/folder/report', 'report-back');
  expect(await readFile(join(alice.home, 'report-back'), 'utf8')).toBe('of elsewhere');
  const signed = (await blob('sign-url', '--expires', '5m', 'blob:elsewhere/folder/report')).trim();
  expect(await (await fetch(signed)).text()).toBe('of elsewhere');
  await blob('rmbucket', 'elsewhere');
  expect(await blob('lsbucket')).not.toContain('elsewhere');
  expect((await world.storage.owner('reports').fetch(`${endpoint}/reports/folder/report`)).status).toBe(200);
});

test('100,000 keys are listed page by page, by the client', async () => {
  const id = idOf(await blob('mkbucket', '--name', 'many'));
  const writer = world.storage.ofProject(id, 'rw');
  let next = 0;
  await Promise.all(
    Array.from({ length: 16 }, async () => {
      for (let nth = next++; nth < 100_000; nth = next++) {
        const answer = await writer.fetch(
          `${world.storage.url}/${id}/${nth % 2 === 0 ? 'one' : `f${nth % 100}`}/${nth}`,
          {
            method: 'PUT',
            body: '',
          },
        );
        await answer.arrayBuffer();
        if (answer.status !== 200) throw new Error(`${nth}: ${answer.status}`);
      }
    }),
  );
  expect(lines(await alice.ok(['blob', 'ls', '-r', 'blob:many'], { timeout: 300 }))).toHaveLength(100_000);
  expect(lines(await alice.ok(['blob', 'ls', 'blob:many/one/'], { timeout: 300 }))).toHaveLength(50_000);
  expect(await alice.ok(['blob', 'du', 'many'], { timeout: 300 })).toMatch(/Objects count: 100000/);
}, 900_000);

test('what was accepted is there, and nothing is half, while the storage is killed again and again', async () => {
  const id = idOf(await blob('mkbucket', '--name', 'killed'));
  const writer = world.storage.ofProject(id, 'rw');
  const accepted = new Map<string, string>();
  let over = false;
  const writing = Array.from({ length: 4 }, async (_, who) => {
    for (let nth = 0; !over; nth += 1) {
      const body = randomBytes(1 + Math.floor(Math.random() * 300_000));
      const key = `${who}/${nth}`;
      const answer = await writer
        .fetch(`${world.storage.url}/${id}/${key}`, { method: 'PUT', body: new Uint8Array(body) })
        .catch(() => undefined);
      if (answer?.status === 200) accepted.set(key, createHash('md5').update(body).digest('hex'));
      else await sleep(50);
    }
  });
  const making = (async () => {
    const made: string[] = [];
    while (!over) {
      const { status, json } = await world.api.request('alice', 'POST', '/buckets/buckets', {
        name: null,
        org_name: 'acme',
        project_name: 'tight',
      });
      if (status === 201) {
        made.push(json.id);
        await world.api.request('alice', 'PATCH', `/buckets/buckets/${json.id}`, { public: true });
        await world.api.request('alice', 'DELETE', `/buckets/buckets/${json.id}`);
      } else await sleep(50);
    }
    return made.length;
  })();
  for (let kill = 0; kill < 15; kill += 1) {
    await sleep(500 + Math.random() * 1_500);
    await world.storage.kill();
    await world.storage.up();
  }
  over = true;
  await Promise.all(writing);
  expect(await making).toBeGreaterThan(0);
  expect(accepted.size).toBeGreaterThan(20);
  for (const [key, digest] of accepted) {
    const answer = await writer.fetch(`${world.storage.url}/${id}/${key}`);
    expect([
      key,
      createHash('md5')
        .update(Buffer.from(await answer.arrayBuffer()))
        .digest('hex'),
    ]).toEqual([key, digest]);
  }
}, 300_000);
