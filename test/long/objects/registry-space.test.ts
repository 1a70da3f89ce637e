import { randomBytes } from 'node:crypto';
import { readdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { registrySettings } from '../../../runtime/service/src/api/resources/registry/settings.ts';
import { signToken } from '../../../runtime/service/src/api/resources/registry/token.ts';
import { client, type RegistryClient } from '../../support/registry/client.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';
import { type TestRegistry, testRegistry } from '../../support/registry/server.ts';
import { until } from '../../support/until.ts';

/*
 * Space is given back while people push: crane pushes, copies from repository to repository, moves tags and removes images, while
 * collections run one upon another, keep unused blobs for a second alone, and are killed with the registry at any instant. What
 * was pushed can be pulled, always; and in the end nothing is on the volume that no image needs.
 */

const SECONDS = Number(process.env.DELOS_TEST_SPACE_SECONDS ?? 60);
const REPOSITORIES = [0, 1, 2].map((nth) => `acme/one/r${nth}`);

let registry: TestRegistry;
let direct: RegistryClient;
let pushers: readonly Crane[];
const counts = { pushed: 0, copied: 0, removed: 0, indexed: 0, refused: 0, cut: 0, kills: 0, collections: 0, freed: 0 };
const other: string[] = [];

beforeAll(async () => {
  registry = await testRegistry({
    env: {
      DELOS_IMAGES_GRACE_SECONDS: '1',
      DELOS_IMAGES_KEEP_UNTAGGED_SECONDS: '2',
      DELOS_IMAGES_COLLECT_SECONDS: '3600',
      DELOS_IMAGES_AT_ONCE: '7',
    },
  });
  await registry.up();
  direct = client(registry);
  const access = ['r0', 'r1', 'r2', 'copies', 'indices'].map((name) => ({
    type: 'repository',
    name: `acme/one/${name}`,
    actions: ['pull', 'push', 'delete'],
  }));
  const settings = registrySettings(registry.url, registry.key);
  const token = await signToken(settings, { name: 'test', id: 1 }, access, Math.floor(Date.now() / 1000));
  pushers = await Promise.all(REPOSITORIES.map(() => crane(new URL(registry.url).host, { token })));
});
afterAll(async () => {
  for (const pusher of pushers ?? []) await pusher.stop();
  await registry?.stop();
});

const host = (): string => new URL(registry.url).host;
/** What a client is told where the registry was killed, or where a blob went that it had looked at more than a second ago. */
const CUT = /connection refused|connection reset|EOF|broken pipe|fetch failed|terminated|socket|ECONN/i;
const LATE = /BLOB_UNKNOWN|MANIFEST_UNKNOWN|MANIFEST_BLOB_UNKNOWN|NAME_UNKNOWN|UPLOAD_UNKNOWN|\b40[04]\b/;

/** Does something that may be cut off. @returns undefined then */
async function attempt<T>(what: () => Promise<T>): Promise<T | undefined> {
  try {
    return await what();
  } catch (error) {
    const text = error instanceof Error ? `${error.message} ${String(error.cause)}` : String(error);
    if (CUT.test(text)) counts.cut += 1;
    else if (LATE.test(text)) counts.refused += 1;
    else other.push(text.slice(0, 500));
    return undefined;
  }
}

/** Whether all of an image can be pulled. It asks again while the registry is away. */
const whole = (name: string, reference: string): Promise<boolean> =>
  until(`${name}:${reference} is answered`, 60, () => direct.whole(name, reference).catch(() => undefined));

test('a push that was accepted can be pulled, whatever collections and kills there were, and space comes back', async () => {
  const end = Date.now() + SECONDS * 1_000;
  const broken: string[] = [];
  const check = async (name: string, reference: string): Promise<void> => {
    if (!(await whole(name, reference))) broken.push(`${name}:${reference}`);
  };
  const pushing = pushers.map(async (pusher, nth) => {
    const name = REPOSITORIES[nth] ?? '';
    for (let turn = 0; Date.now() < end; turn += 1) {
      const tag = `t${turn % 3}`;
      const before = await attempt(() => pusher.push(`${host()}/${name}:${tag}`, `${nth} ${turn % 5} `.repeat(2_000)));
      if (before === undefined) continue;
      counts.pushed += 1;
      await check(name, tag);
      const copied = await attempt(() =>
        pusher.ok('copy', `${host()}/${name}:${tag}`, `${host()}/acme/one/copies:c${nth}`),
      );
      if (copied !== undefined) {
        counts.copied += 1;
        await check('acme/one/copies', `c${nth}`);
      }
      if (turn % 4 !== 3) continue;
      const removed = await attempt(() => pusher.ok('delete', `${host()}/${name}@${before}`));
      if (removed !== undefined) counts.removed += 1;
    }
  });
  const indexing = (async () => {
    for (let turn = 0; Date.now() < end; turn += 1) {
      await attempt(async () => {
        const layers = [randomBytes(1_000), Buffer.alloc(5_000, String(turn % 3))];
        const images = [
          await direct.push('acme/one/indices', '', layers),
          await direct.push('acme/one/indices', '', layers.slice(1)),
        ];
        if (images.some(({ status }) => status !== 201)) throw new Error('MANIFEST_BLOB_UNKNOWN');
        await direct.index('acme/one/indices', 'latest', images);
        counts.indexed += 1;
        for (const { digest } of images) await check('acme/one/indices', digest);
      });
    }
  })();
  const collecting = (async () => {
    while (Date.now() < end) {
      const done = await registry.collect(1).catch(() => undefined);
      if (done === undefined) await new Promise((resolve) => setTimeout(resolve, 50));
      else {
        counts.collections += 1;
        counts.freed += done.bytes;
      }
    }
  })();
  const killing = (async () => {
    while (Date.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 1_000 + Math.random() * 3_000));
      await registry.kill();
      counts.kills += 1;
      await registry.up();
    }
  })();
  await Promise.all([...pushing, indexing, collecting, killing]);
  expect({ broken, other }).toEqual({ broken: [], other: [] });
  for (const [what, count] of Object.entries(counts)) {
    if (what !== 'refused' && what !== 'cut') expect([what, count > 0]).toEqual([what, true]);
  }
  process.stderr.write(`${JSON.stringify(counts)}\n`);

  const named = new Set<string>();
  for (const name of [...REPOSITORIES, 'acme/one/copies', 'acme/one/indices']) {
    const { tags } = (await (await direct.ask('GET', name, `/v2/${name}/tags/list`)).json()) as {
      tags: string[] | null;
    };
    for (const tag of tags ?? []) {
      expect([name, tag, await direct.whole(name, tag)]).toEqual([name, tag, true]);
      for (const digest of await direct.blobsOf(name, tag)) named.add(digest);
    }
  }
  // Untagged ones are seen, then they are old.
  for (let nth = 0; nth < 2; nth += 1) {
    await registry.collect(1);
    await age(registry.data);
  }
  await registry.collect(1);
  expect(await blobsIn(registry.data)).toEqual([...named].sort());
}, 600_000);

async function age(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile()) continue;
    const at = (await stat(path)).mtimeMs / 1000 - 3_600;
    await utimes(path, at, at);
  }
}

async function blobsIn(data: string): Promise<readonly string[]> {
  const found = await readdir(join(data, 'docker/registry/v2/blobs/sha256'), { withFileTypes: true, recursive: true });
  return found
    .filter(({ name }) => name === 'data')
    .map(({ parentPath }) => `sha256:${parentPath.split('/').at(-1) ?? ''}`)
    .sort();
}
