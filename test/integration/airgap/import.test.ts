import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  inventoryBytes,
  inventoryOf,
  joined,
  openBundle,
  Registry,
  readSince,
  sinceInventory,
  versionsOf,
} from '@delos/airgap';
import { CATALOGUE } from '@delos/artifacts';
import { listImages } from '@delos/cluster';
import { parseConfig } from '@delos/constructs';
import { DEFAULT_INSTANCE, instancePaths } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileContent } from '../../../airgap/src/content/artifact.ts';
import { siteImages } from '../../../cli/src/instance/site-images.ts';
import {
  bundleIn,
  bytesOf,
  days,
  Folders,
  faultsOf,
  imageOf,
  type Made,
  NOW,
  someContent,
} from '../../support/airgap/bundles.ts';
import { readIndex } from '../../support/airgap/mutations.ts';
import { imported, type SiteRegistry, siteRegistry } from '../../support/airgap/site.ts';
import { wheelOf } from '../../support/airgap/zip.ts';
import { REPOSITORY } from '../../support/docs/compiler.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';

/* Bundles at a site with a real registry: import, and a delta on top. */

const folders = new Folders();
let registry: SiteRegistry;
let work: string;
let first: Made;
const site = (): string => join(work, 'site');
let pulls = 0;
/** Everything of an image; crane compares each blob with its digest. */
const pull = (client: Crane, at: string): Promise<string> => {
  pulls += 1;
  return client.ok('pull', '--format', 'oci', at, join(work, `pulled-${pulls}`));
};

beforeAll(async () => {
  work = await folders.make();
  registry = await siteRegistry(work);
  await registry.up();
  const wheel = join(work, 'tiny-1.0-py3-none-any.whl');
  await writeFile(wheel, wheelOf('tiny', '1.0'));
  const content = joined([
    someContent(),
    await fileContent({ kind: 'wheel', name: 'tiny-1.0-py3-none-any.whl', path: wheel }),
  ]);
  first = await bundleIn(join(work, 'first'), { content });
});
afterAll(async () => {
  await registry?.kill();
  await folders.end();
});

describe('an import', () => {
  test('brings every image whole, by its own reference, and a second one sends nothing', async () => {
    const how = { folder: first.folder, list: first.list, url: registry.url, site: site(), store: registry.data };
    const { done, looked } = await imported(how);
    const index = await readIndex(first.folder);
    expect(done?.bytes).toBe(looked?.bytes);
    const client = await crane(registry.url.slice(7), undefined);
    try {
      for (const { name, descriptor } of index.items.filter(({ kind }) => kind === 'image')) {
        const at = `${registry.url.slice(7)}/${name}`;
        expect((await client.ok('digest', at)).trim()).toBe(descriptor.digest);
        await pull(client, at);
      }
    } finally {
      await client.stop();
    }
    const before = await registry.content();
    const again = await imported(how);
    expect(again.done).toEqual({ bytes: 0, uploads: 0, mounts: 0, manifests: 0 });
    expect(await registry.content()).toEqual(before);
  });

  test('a layer that two images have is stored once and sent once', async () => {
    const index = await readIndex(first.folder);
    const blobs = (await registry.content()).filter((line) => line.includes('/blobs/'));
    expect(blobs).toHaveLength(index.blobs.length);
  });

  test('without room is refused to the byte before anything is sent', async () => {
    const { preflight, planImport } = await import('@delos/airgap');
    const bundle = await openBundle(first.folder, { pinned: first.list, at: NOW });
    const other = await siteRegistry(join(work, 'full'));
    await other.up();
    const client = new Registry({ url: other.url });
    try {
      // /proc has no room at all.
      await expect(preflight(bundle.index, planImport(bundle.index), client, { store: '/proc' })).rejects.toThrow(
        /needs \d+ bytes more in \/proc, and 0 are free/,
      );
      expect(await other.content()).toEqual([]);
    } finally {
      await client.close();
      await other.kill();
    }
  });
});

describe('a delta', () => {
  let delta: Made;
  const changed = () =>
    joined([
      imageOf('registry.example.com/team/one:2', [bytesOf('shared', 5_000), bytesOf('one, changed', 800)]),
      imageOf('registry.example.com/team/two:1', [bytesOf('shared', 5_000), bytesOf('two', 12_000)]),
    ]);

  test('made since the site’s inventory has only what the site lacks', async () => {
    const inventory = inventoryOf(versionsOf(site()).map(({ index }) => index));
    const file = join(work, 'inventory.json');
    await writeFile(file, inventoryBytes(inventory));
    const since = await readSince(file);
    expect(since).toEqual(sinceInventory(inventory));
    const { signers, list } = first;
    delta = await bundleIn(join(work, 'delta'), { content: changed(), since, signers, list, createdAt: days(1) });
    expect(await faultsOf(delta.folder, list, days(1))).toEqual([]);
    const { blobs, base } = await readIndex(delta.folder);
    // The changed layer, its configuration and manifest.
    expect(blobs.map(({ size }) => size).filter((size) => size > 600)).toEqual([800]);
    expect(blobs).toHaveLength(3);
    expect(base.length).toBeGreaterThan(2);
    expect(await readSince(first.folder)).toMatchObject({ kind: 'index', has: since.has });
  });

  test('is imported on top, and each image of it is whole', async () => {
    const { done } = await imported({
      folder: delta.folder,
      list: delta.list,
      url: registry.url,
      site: site(),
      at: days(1),
    });
    expect(done?.uploads).toBe(2);
    const client = await crane(registry.url.slice(7), undefined);
    try {
      for (const name of ['one:2', 'one:1', 'two:1']) {
        await pull(client, `${registry.url.slice(7)}/registry.example.com/team/${name}`);
      }
    } finally {
      await client.stop();
    }
  });

  test('is refused where the site lacks its base, or has another in its place, and nothing is sent', async () => {
    const bare = await siteRegistry(join(work, 'bare'));
    await bare.up();
    try {
      const how = { folder: delta.folder, list: delta.list, url: bare.url, site: join(work, 'bare-site') };
      const lacking = await imported(how);
      const { base } = await readIndex(delta.folder);
      expect(lacking.faults?.map(({ kind, blob }) => `${kind} ${blob}`).toSorted()).toEqual(
        base.map(({ digest }) => `base-missing ${digest}`).toSorted(),
      );
      expect(await bare.content()).toEqual([]);
      // A bit of a blob that it builds on turns on the site's disk.
      await imported({ ...how, folder: first.folder });
      const [one] = base.filter(({ size }) => size === 12_000);
      const hex = one?.digest.slice(7) ?? '';
      await writeFile(
        join(bare.data, 'docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex, 'data'),
        bytesOf('rotten', 12_000),
      );
      expect((await imported(how)).faults).toMatchObject([
        { kind: 'base-missing', message: expect.stringContaining('has changed here'), blob: one?.digest },
      ]);
    } finally {
      await bare.kill();
    }
  });
});

test('a platform of `images.source: site` names what a bundle has brought by digest, and tells all that is not there', async () => {
  const config = parseConfig(
    `images: {source: site, registry: aux.site.test/registry.delos.internal, mirrors: [{registry: "*", url: "${registry.url}"}]}`,
    'delos.yaml',
  );
  const wanted = ['redis', 'pause'];
  const leaveOut = CATALOGUE.map(({ name }) => name).filter((name) => !wanted.includes(name));
  const paths = instancePaths(DEFAULT_INSTANCE, process.env);
  const options = { root: REPOSITORY, paths, leaveOut };
  const asked = (): Promise<Readonly<Record<string, string>>> =>
    siteImages(config, options, new AbortController().signal);
  const listed = await listImages({ ...options, source: 'local', standIns: false });
  const there = listed.map(({ reference }) =>
    reference.replace('registry.delos.internal', 'aux.site.test/registry.delos.internal'),
  );
  await expect(asked()).rejects.toMatchObject({ code: 'ERR_BUNDLE_CONTENT', data: { lacking: there } });
  const content = joined(listed.map(({ reference }) => imageOf(reference, [bytesOf(reference, 500)])));
  const { folder, list } = await bundleIn(join(work, 'platform'), { content });
  await imported({ folder, list, url: registry.url, site: join(work, 'platform-site') });
  const { items } = await readIndex(folder);
  expect(await asked()).toEqual(
    Object.fromEntries(
      listed.map(({ name, reference }, nth) => {
        const digest = items.find((item) => item.name === reference)?.descriptor.digest;
        return [name, `${there[nth]}@${digest}`];
      }),
    ),
  );
});
