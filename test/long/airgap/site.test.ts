import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { joined, openBundle, planPrune, prune, Registry, serveBundle, versionsOf } from '@delos/airgap';
import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fileContent } from '../../../airgap/src/content/artifact.ts';
import { sinceIndex } from '../../../airgap/src/delta/inventory.ts';
import { execute, expectOk } from '../../../peers/src/command.ts';
import {
  bundleIn,
  bytesOf,
  days,
  Folders,
  imageOf,
  type Made,
  NOW,
  someContent,
} from '../../support/airgap/bundles.ts';
import { readIndex } from '../../support/airgap/mutations.ts';
import { type Importing, imported, type SiteRegistry, siteRegistry } from '../../support/airgap/site.ts';
import { wheelOf } from '../../support/airgap/zip.ts';
import { type Crane, crane } from '../../support/registry/crane.ts';

/* A site's registry: an import that is killed at each of its steps, a prune, and a bundle that is served without an import. */

const folders = new Folders();
let work: string;
let first: Made;
beforeAll(async () => {
  work = await folders.make();
  const wheel = join(work, 'tiny-1.0-py3-none-any.whl');
  await writeFile(wheel, wheelOf('tiny', '1.0'));
  const file = await fileContent({ kind: 'wheel', name: 'tiny-1.0-py3-none-any.whl', path: wheel });
  first = await bundleIn(join(work, 'first'), { content: joined([someContent(), file]) });
});
afterAll(() => folders.end());

let pulls = 0;
/** Everything of an image; crane compares each blob with its digest. */
const pull = (client: Crane, at: string): Promise<string> => {
  pulls += 1;
  return client.ok('pull', '--format', 'oci', at, join(work, `pulled-${pulls}`));
};

/** The same import in a process of its own, which ends by SIGKILL at its nth step. @returns whether it came so far */
async function killedAt(how: Importing, nth: number): Promise<boolean> {
  const child = join(import.meta.dirname, '../../support/airgap/import-child.ts');
  const { code, stderr } = await execute([
    process.execPath,
    '--disable-warning=ExperimentalWarning',
    child,
    JSON.stringify(how),
    String(nth),
  ]);
  if (code !== 0 && code !== 137) throw new Error(stderr);
  return code === 137;
}

test('an import that is killed at any of its steps goes on, and ends with the very content of one that was not disturbed', async () => {
  const how = { folder: first.folder, list: first.list, parallel: 1, chunkBytes: 16_384 };
  const { steps, content: expected } = await calm(how);
  for (let nth = 1; nth <= steps; nth += 1) {
    const folder = await folders.make();
    const registry = await siteRegistry(folder);
    await registry.up();
    try {
      const here = { ...how, url: registry.url, site: join(folder, 'site') };
      expect(await killedAt(here, nth), `step ${nth}`).toBe(true);
      // Killed once more on the way of the second, where it has as many steps left.
      await killedAt(here, 3);
      await imported(here);
      expect(await registry.content(), `step ${nth}`).toEqual(expected);
    } finally {
      await registry.kill();
    }
  }
});

/** What an import that nobody disturbs does, and leaves. */
async function calm(how: Pick<Importing, 'folder' | 'list' | 'parallel' | 'chunkBytes'>) {
  const registry = await siteRegistry(await folders.make());
  await registry.up();
  let steps = 0;
  const onStep = (): void => {
    steps += 1;
  };
  await imported({ ...how, url: registry.url, site: join(registry.data, '../site'), onStep });
  const content = await registry.content();
  await registry.kill();
  expect(steps).toBeGreaterThan(40);
  return { steps, content };
}

describe('a failure at any step', () => {
  const filler = (registry: SiteRegistry): string => join(registry.data, 'filler');
  test.each([
    {
      what: 'the registry is gone',
      words: /does not answer|answers 5/,
      fail: (registry: SiteRegistry) => registry.kill(),
      mend: (registry: SiteRegistry) => registry.up(),
    },
    {
      what: 'the medium is pulled out',
      words: /cannot be read/,
      fail: () => rename(join(first.folder, 'packs'), join(first.folder, '..', 'away')),
      mend: () => rename(join(first.folder, '..', 'away'), join(first.folder, 'packs')),
    },
    {
      what: 'the disk is full',
      words: /answers 5\d\d/,
      // Until there is no room for a byte more.
      fail: async (registry: SiteRegistry) =>
        void (await execute(['sh', '-c', 'cat /dev/zero >"$1" || true', 'fill', filler(registry)])),
      mend: (registry: SiteRegistry) => rm(filler(registry)),
    },
  ])(
    '$what: it is told, and the same import goes on to the same end',
    { timeout: 600_000 },
    async ({ words, fail, mend }) => {
      const how = { folder: first.folder, list: first.list, parallel: 1, chunkBytes: 16_384 };
      const { steps, content } = await calm(how);
      let told = 0;
      for (let nth = 1; nth <= steps; nth += 1) {
        const folder = await folders.make();
        await expectOk(execute(['mkdir', join(folder, 'registry')]));
        await expectOk(execute(['mount', '-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', join(folder, 'registry')]));
        const registry = await siteRegistry(folder);
        try {
          await registry.up();
          const here = { ...how, url: registry.url, site: join(folder, 'site') };
          let seen = 0;
          const onStep = async (): Promise<void> => {
            seen += 1;
            if (seen === nth) await fail(registry);
          };
          // Towards the end there may be nothing left for which it is needed.
          await imported({ ...here, onStep }).catch((error: unknown) => {
            expect(String(error), `step ${nth}`).toMatch(words);
            told += 1;
          });
          await mend(registry);
          await imported(here);
          expect(await registry.content(), `step ${nth}`).toEqual(content);
        } finally {
          await registry.kill();
          await execute(['umount', '--lazy', registry.data]);
        }
      }
      expect(told).toBeGreaterThan(steps / 4);
    },
  );
});

test('a registry whose disk is full says so, and the import goes on when it has room', async () => {
  const folder = await folders.make();
  await expectOk(execute(['mkdir', join(folder, 'registry')]));
  await expectOk(execute(['mount', '-t', 'tmpfs', '-o', 'size=60k', 'tmpfs', join(folder, 'registry')]));
  const registry = await siteRegistry(folder);
  try {
    await registry.up();
    const how = { folder: first.folder, list: first.list, url: registry.url, site: join(folder, 'site') };
    await expect(imported({ ...how, store: registry.data })).rejects.toThrow('too few');
    await expect(imported(how)).rejects.toThrow(/answers 5\d\d/);
    await expectOk(execute(['mount', '-o', 'remount,size=20m', registry.data]));
    await imported({ ...how, store: registry.data });
    const index = await readIndex(first.folder);
    expect((await registry.content()).filter((line) => line.includes('/blobs/'))).toHaveLength(index.blobs.length);
  } finally {
    await registry.kill();
    await execute(['umount', '--lazy', registry.data]);
  }
});

test('a registry that asks for a password takes a bundle from who has it, and says to everybody else what lacks', async () => {
  const folder = await folders.make();
  const hash =
    "import crypt; print('ann:' + crypt.crypt('a-password', crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16)))";
  await writeFile(join(folder, 'htpasswd'), await expectOk(execute(['python3', '-W', 'ignore', '-c', hash])));
  const registry = await siteRegistry(folder, join(folder, 'htpasswd'));
  await registry.up();
  try {
    const how = { folder: first.folder, list: first.list, url: registry.url, site: join(folder, 'site') };
    await expect(imported(how)).rejects.toThrow('the registry asks for a login');
    await expect(imported({ ...how, login: { user: 'ann', password: 'another' } })).rejects.toThrow('answers 401');
    expect(await registry.content()).toEqual([]);
    await imported({ ...how, login: { user: 'ann', password: 'a-password' } });
    expect((await registry.content()).length).toBeGreaterThan(20);
  } finally {
    await registry.kill();
  }
});

test('a prune that keeps a delta keeps what it needs of the first, and takes the rest away', async () => {
  const folder = await folders.make();
  const site = join(folder, 'site');
  const registry = await siteRegistry(folder);
  await registry.up();
  const client = new Registry({ url: registry.url });
  const person = await crane(registry.url.slice(7), undefined);
  const at = (name: string): string => `${registry.url.slice(7)}/registry.example.com/team/${name}`;
  try {
    const bundle = await openBundle(first.folder, { pinned: first.list, at: NOW });
    const { signers, list } = first;
    const content = joined([
      imageOf('registry.example.com/team/one:2', [bytesOf('shared', 5_000), bytesOf('one, changed', 800)]),
      imageOf('registry.example.com/team/two:1', [bytesOf('shared', 5_000), bytesOf('two', 12_000)]),
    ]);
    const since = sinceIndex(bundle.index, bundle.digest);
    const delta = await bundleIn(join(folder, 'delta'), { content, since, signers, list });
    await imported({ folder: first.folder, list, url: registry.url, site });
    await imported({ folder: delta.folder, list, url: registry.url, site, at: days(1) });
    const versions = versionsOf(site);
    expect(versions).toHaveLength(2);
    expect(planPrune(versions, 2)).toMatchObject({ remove: [], manifests: [], blobs: 0, bytes: 0 });
    const plan = planPrune(versions, 1);
    expect(await prune(site, plan, client)).toBe(plan.manifests.length);
    // Called again, as after a kill: there is nothing left to do.
    expect(await prune(site, plan, client)).toBe(0);
    expect(versionsOf(site)).toHaveLength(1);
    const { path } = await resolveTool('registry', silent);
    await registry.kill();
    await expectOk(execute([path, 'garbage-collect', '--delete-untagged', join(folder, 'registry.json')]));
    await registry.up();
    const left = (await registry.content()).filter((line) => line.includes('/blobs/'));
    const kept = await readIndex(delta.folder);
    expect(left).toHaveLength(kept.blobs.length + kept.base.length);
    for (const name of ['one:2', 'two:1']) await pull(person, at(name));
    expect((await person.run('digest', at('large:1'))).code).not.toBe(0);
  } finally {
    await person.stop();
    await client.close();
    await registry.kill();
  }
});

test('a bundle is served from its packs: images by crane, a wheel by pip, each with its digest', async () => {
  const bundle = await openBundle(first.folder, { pinned: first.list, at: NOW });
  const serving = await serveBundle(bundle, '127.0.0.1', 0);
  const client = await crane(serving.url.slice(7), undefined);
  try {
    for (const { name } of bundle.index.items.filter(({ kind }) => kind === 'image')) {
      await pull(client, `${serving.url.slice(7)}/${name}`);
    }
    const got = join(work, 'got');
    const pip = [
      'python3',
      '-m',
      'pip',
      '--disable-pip-version-check',
      '--isolated',
      'download',
      '--no-deps',
      '--no-cache-dir',
      '--dest',
      got,
    ];
    await expectOk(execute([...pip, '--index-url', `${serving.url}/simple/`, 'tiny==1.0']));
    const part = await fetch(`${serving.url}/files/wheel/tiny-1.0-py3-none-any.whl`, {
      headers: { range: 'bytes=0-3' },
    });
    expect([part.status, await part.text()]).toEqual([206, 'PK\x03\x04']);
    for (const path of ['/v2/none/manifests/1', '/files/wheel/../../etc/passwd', '/simple/none/', '/%']) {
      expect((await fetch(`${serving.url}${path}`)).status).toBe(404);
    }
    expect((await fetch(`${serving.url}/v2/x/blobs/uploads/`, { method: 'POST' })).status).toBe(405);
  } finally {
    await client.stop();
    await serving.close();
  }
});
