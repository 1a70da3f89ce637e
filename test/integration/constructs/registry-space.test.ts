import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { client, type Pushed, type RegistryClient } from '../../support/registry/client.ts';
import { type TestRegistry, testRegistry } from '../../support/registry/server.ts';
import { until } from '../../support/until.ts';

/*
 * The registry gives the space of removed images back, and holds projects to their quota. Time passes by files that are made older.
 * Its sets have room for three digests, so that it works in many parts.
 */

let registry: TestRegistry;
let one: RegistryClient;

beforeAll(async () => {
  registry = await testRegistry({
    services: `
services: {registry: {enabled: true, projectLimit: 8Mi, keepUntaggedDays: 5}}
organizations:
  - name: acme
    projects: [{name: one}, {name: narrow, images: {limit: 1Mi}}, {name: unused}]
`,
    env: { DELOS_IMAGES_AT_ONCE: '3' },
  });
  await registry.up();
  one = client(registry);
});
afterAll(() => registry?.stop());

const DAY = 86_400;
const bytes = (size: number): Buffer => randomBytes(size);
const digestOf = (content: Buffer): string => `sha256:${createHash('sha256').update(content).digest('hex')}`;

async function* walk(folder: string, folders = false): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* walk(path, folders);
    if (folders || !entry.isDirectory()) yield path;
  }
}
/** Lets days pass for all that is on the volume. @param folders for folders as well */
async function pass(days: number, folders = false): Promise<void> {
  for await (const path of walk(registry.data, folders)) {
    const { mtimeMs } = await stat(path);
    await utimes(path, mtimeMs / 1000 - days * DAY, mtimeMs / 1000 - days * DAY);
  }
}
const collect = () => registry.collect(DAY);
async function blobsOnDisk(): Promise<readonly string[]> {
  const found: string[] = [];
  for await (const path of walk(join(registry.data, 'docker/registry/v2/blobs'))) {
    if (path.endsWith('/data')) found.push(`sha256:${path.split('/').at(-2) ?? ''}`);
  }
  return found.sort();
}

describe('a collection', () => {
  test('gives back what no image needs any more, and nothing else', async () => {
    const [kept, shared, gone] = [bytes(1_000), bytes(2_000), bytes(300_000)];
    const stays = await one.push('acme/one/a', '1', [kept, shared]);
    const goes = await one.push('acme/one/a', '2', [gone, shared]);
    const elsewhere = await one.push('acme/unused/b', '1', [shared]);
    await one.remove('acme/one/a', goes.digest);
    // What was pushed lately stays, whether an image needs it or not.
    expect(await collect()).toMatchObject({ blobs: 0, links: 0 });
    await pass(2);
    const done = await collect();
    // The layer, its image's settings, and its manifest.
    expect(done).toMatchObject({ blobs: 3, links: 2 });
    expect(done.bytes).toBeGreaterThan(300_000);
    expect(await blobsOnDisk()).toEqual(
      [...new Set([...stays.blobs, stays.digest, ...elsewhere.blobs, elsewhere.digest])].sort(),
    );
    expect(await one.whole('acme/one/a', '1')).toBe(true);
    expect(await one.has('acme/one/a', digestOf(gone))).toBe(false);
    expect(await collect()).toMatchObject({ blobs: 0, links: 0 });
  });

  test('takes repositories that have nothing any more from the list, and leaves an upload', async () => {
    const repositories = join(registry.data, 'docker/registry/v2/repositories/acme');
    const { digest } = await one.push('acme/empty/deep/er', '1', [bytes(10)]);
    await one.push('acme/empty/deep', '1', [bytes(10)]);
    await one.ask('POST', 'acme/empty/begun', '/v2/acme/empty/begun/blobs/uploads/');
    await one.remove('acme/empty/deep/er', digest);
    for (let nth = 0; nth < 3; nth += 1) {
      await pass(2, true);
      await collect();
    }
    expect((await readdir(join(repositories, 'empty'))).sort()).toEqual(['begun', 'deep']);
    expect(await readdir(join(repositories, 'empty/deep'))).not.toContain('er');
    expect(await one.whole('acme/empty/deep', '1')).toBe(true);
    expect(await one.push('acme/empty/deep/er', '1', [bytes(10)])).toMatchObject({ status: 201 });
  });

  test('leaves what a push has been told of, by a look, a mount or an upload', async () => {
    const [looked, mounted, sent] = [bytes(4_000), bytes(5_000), bytes(6_000)];
    for (const layer of [looked, mounted, sent]) await one.upload('acme/one/push', layer);
    await pass(2);
    expect(await one.has('acme/one/push', digestOf(looked))).toBe(true);
    expect(await one.mount('acme/one/other', digestOf(mounted), 'acme/one/push')).toBe(201);
    await one.upload('acme/one/push', sent);
    await collect();
    expect(await one.manifest('acme/one/push', '1', [looked, sent])).toBe(201);
    expect(await one.manifest('acme/one/other', '1', [mounted])).toBe(201);
    await pass(2);
    await collect();
    expect([await one.whole('acme/one/push', '1'), await one.whole('acme/one/other', '1')]).toEqual([true, true]);
  });

  test('keeps images of an index as long as the index, and an image without a tag for some days', async () => {
    const children = [
      await one.push('acme/one/many', '', [bytes(100)]),
      await one.push('acme/one/many', '', [bytes(100)]),
    ];
    const index = await one.index('acme/one/many', 'latest', children);
    const before = await one.push('acme/one/moves', 'latest', [bytes(50_000)]);
    const after = await one.push('acme/one/moves', 'latest', [bytes(50)]);
    await pass(2);
    await collect();
    await pass(4);
    expect(await collect()).toMatchObject({ manifests: 0 });
    // Somebody pulls it by its digest: it is in use.
    expect(await one.whole('acme/one/moves', before.digest)).toBe(true);
    await pass(4);
    expect(await collect()).toMatchObject({ manifests: 0 });
    await pass(6);
    expect(await collect()).toMatchObject({ manifests: 1, blobs: 3 });
    expect(await one.whole('acme/one/moves', before.digest)).toBe(false);
    expect(await one.whole('acme/one/moves', after.digest)).toBe(true);
    for (const { digest } of children) expect(await one.whole('acme/one/many', digest)).toBe(true);
    await one.remove('acme/one/many', index);
    await pass(6);
    await collect();
    await pass(6);
    expect(await collect()).toMatchObject({ manifests: 2 });
  });

  test('keeps a layer that its manifest names by another algorithm', async () => {
    const layer = bytes(700);
    await one.upload('acme/one/wide', layer, 'sha512');
    expect(await one.manifest('acme/one/wide', '1', [layer], 'sha512')).toBe(201);
    await pass(2);
    await collect();
    expect(await one.whole('acme/one/wide', '1')).toBe(true);
  });

  test('waits for a backup, and takes away what a killed one left', async () => {
    const trash = join(registry.data, 'delos/trash/left');
    await mkdir(trash, { recursive: true });
    await writeFile(join(trash, 'data'), 'left');
    const backup = spawn('flock', ['--shared', join(registry.data, 'delos/lock'), 'sh', '-c', 'echo held; exec cat']);
    await new Promise((resolve) => backup.stdout.once('data', resolve));
    let ended = false;
    const collected = collect().then((done) => {
      ended = true;
      return done;
    });
    // Nothing else that it does would take as long.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(ended).toBe(false);
    backup.stdin.end();
    await collected;
    expect(await readdir(join(registry.data, 'delos/trash'))).toEqual([]);
  });
});

const denied = z.object({ errors: z.array(z.object({ code: z.string(), message: z.string() })) });

describe('a quota', () => {
  let small: Pushed;

  test('refuses a layer that does not fit, says so as registries do, and keeps nothing of it', async () => {
    const answer = await one.begin('acme/narrow/big', bytes(2 ** 21));
    expect(answer.status).toBe(403);
    const { errors } = denied.parse(await answer.json());
    expect(errors).toMatchObject([{ code: 'DENIED' }]);
    expect(errors[0]?.message).toMatch(
      /^project acme\/narrow uses .+ of the 1\.0 MiB that it may have for images, and 2\.0 MiB more do not fit; .*apolo image rm/,
    );
    expect(await readdir(join(registry.data, 'docker/registry/v2/repositories/acme/narrow/big/_uploads'))).toEqual([]);
    small = await one.push('acme/narrow/small', '1', [bytes(500_000)]);
    expect(small.status).toBe(201);
  });

  test('counts what repositories of a project share once, and what other projects have not at all', async () => {
    const layer = bytes(900_000);
    await one.push('acme/one/large', '1', [layer]);
    expect(await one.mount('acme/narrow/large', digestOf(layer), 'acme/one/large')).toBe(202);
    await one.push('acme/narrow/small', '1', [bytes(400_000)]);
    const before = await one.begin('acme/narrow/more', bytes(200_000));
    expect(before.status).toBe(403);
    expect(await one.mount('acme/one/again', digestOf(layer), 'acme/one/large')).toBe(201);
  });

  test('gives room as soon as an image is removed that was not pushed lately', async () => {
    await pass(2);
    await one.remove('acme/narrow/small', small.digest);
    const status = await until('there is room', 30, async () => {
      const answer = await one.begin('acme/narrow/more', bytes(200_000));
      return answer.status === 403 ? undefined : answer.status;
    });
    expect(status).toBe(201);
  });

  test('is shown to Prometheus, by project', async () => {
    const text = await registry.metrics();
    expect(text).toMatch(/^delos_images_project_bytes\{project="acme\/narrow"\} [1-9]/m);
    expect(text).toMatch(/^delos_images_project_limit_bytes\{project="acme\/narrow"\} 1\.048576e\+06$/m);
    expect(text).toMatch(/^delos_images_project_limit_bytes\{project="acme\/one"\} 8\.388608e\+06$/m);
    expect(text).toMatch(/^delos_images_refused_total [1-9]/m);
    expect(text).toMatch(/^delos_images_collections_total\{end="well"\} [1-9]/m);
    expect(text).toMatch(/^delos_images_volume_free_bytes [1-9]/m);
  });
});
