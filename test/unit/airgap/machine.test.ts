import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { joined, openBundle, placeBundle } from '@delos/airgap';
import { mirrorStore, tryStored } from '@delos/cluster';
import { silent } from '@delos/core';
import { pack } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { fileContent } from '../../../airgap/src/content/artifact.ts';
import { isNeeded } from '../../../airgap/src/content/npm.ts';
import { sinceIndex } from '../../../airgap/src/delta/inventory.ts';
import { bundleIn, bytesOf, Folders, imageOf, NOW, someContent } from '../../support/airgap/bundles.ts';

/* A bundle on a machine that installs from it. */

const folders = new Folders();
afterAll(() => folders.end());

const REFERENCE = { repository: 'registry.example.com/team/large', tag: '1' };
const signal = new AbortController().signal;

describe('the content of a bundle in the cache', () => {
  test('images are in the mirror store, wheels and packages in folders, and a second time nothing is written', async () => {
    const work = await folders.make();
    const paths = { cache: join(work, 'cache') };
    await writeFile(join(work, 'file'), bytesOf('a file', 40_000));
    const files = await Promise.all([
      fileContent({ kind: 'wheel', name: 'tiny-1.0-py3-none-any.whl', path: join(work, 'file') }),
      fileContent({ kind: 'deb', name: 'bookworm/tiny_1:1.0~a_amd64.deb', path: join(work, 'file') }),
      fileContent({ kind: 'deb', name: 'trixie/other_1_amd64.deb', path: join(work, 'file') }),
    ]);
    const { folder, list } = await bundleIn(join(work, 'bundle'), { content: joined([someContent(), ...files]) });
    const bundle = await openBundle(folder, { pinned: list, at: NOW });
    const place = () => placeBundle(bundle, 'bookworm', { paths, progress: silent, signal });
    const { wheels, debian } = await place();
    const store = mirrorStore(paths);
    const stored = await tryStored(store, REFERENCE.repository, REFERENCE.tag);
    expect(stored?.digest).toBe(
      bundle.index.items.find(({ name }) => name === 'registry.example.com/team/large:1')?.descriptor.digest,
    );
    expect(await readFile(join(wheels, 'tiny-1.0-py3-none-any.whl'))).toEqual(bytesOf('a file', 40_000));
    expect(await readdir(debian ?? '')).toEqual(['tiny_1:1.0~a_amd64.deb']);
    const kept = (await readdir(store, { recursive: true, withFileTypes: true })).filter((each) => each.isFile());
    const times = async (): Promise<readonly number[]> =>
      Promise.all(
        kept
          .filter(({ name }) => name === 'data')
          .map(async ({ parentPath }) => (await stat(join(parentPath, 'data'))).mtimeMs),
      );
    const before = await times();
    await place();
    expect(await times()).toEqual(before);
  });

  test('a pack that changes after it was verified leaves no image behind', async () => {
    const work = await folders.make();
    const paths = { cache: join(work, 'cache') };
    const content = imageOf('registry.example.com/team/large:1', [bytesOf('large', 50_000)]);
    const { folder, list } = await bundleIn(join(work, 'bundle'), { content });
    const bundle = await openBundle(folder, { pinned: list, at: NOW });
    await changePacks(folder);
    await expect(placeBundle(bundle, undefined, { paths, progress: silent, signal })).rejects.toThrow(
      'expected sha256:',
    );
    expect(await tryStored(mirrorStore(paths), REFERENCE.repository, REFERENCE.tag)).toBeUndefined();
  });

  test('a delta is refused: it has not everything', async () => {
    const work = await folders.make();
    const first = await bundleIn(join(work, 'first'));
    const { index, digest } = await openBundle(first.folder, { pinned: first.list, at: NOW });
    const { signers, list } = first;
    const since = sinceIndex(index, digest);
    const delta = await bundleIn(join(work, 'delta'), { content: someContent(), since, signers, list });
    const bundle = await openBundle(delta.folder, { pinned: list, at: NOW });
    const options = { paths: { cache: join(work, 'cache') }, progress: silent, signal };
    await expect(placeBundle(bundle, undefined, options)).rejects.toThrow('is a delta');
  });
});

describe('npm packages of a bundle', () => {
  test.each([
    [{}, true],
    [{ dev: true }, false],
    [{ os: ['linux'], cpu: ['x64'] }, true],
    [{ os: ['linux'], cpu: ['arm64'] }, false],
    [{ os: ['!win32'] }, true],
    [{ os: ['!linux'] }, false],
    [{ os: ['linux'], cpu: ['x64'], libc: ['musl'] }, false],
  ])('of those that are locked, %j is needed: %j', (locked, needed) => {
    expect(isNeeded(locked)).toBe(needed);
  });

  test('are unpacked as the lock pins them, and one that is missing or changed is named', async () => {
    const work = await folders.make();
    const tarball = await packed({ 'package/package.json': '{"name":"tiny"}', 'package/cli.js': bytesOf('x', 30_000) });
    const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
    await writeFile(join(work, 'tiny.tgz'), tarball);
    const content = await fileContent({
      kind: 'npm',
      name: 'tiny/tiny-1.0.0.tgz',
      path: join(work, 'tiny.tgz'),
      about: { integrity },
    });
    const { folder } = await bundleIn(join(work, 'bundle'), { content });
    expect((await readdir(join(folder, 'packs'))).length).toBeGreaterThan(1);
    const root = join(work, 'root');
    await mkdir(join(root, 'own'), { recursive: true });
    const tiny = { version: '1.0.0', integrity, bin: { tiny: 'cli.js' } };
    const lock = (more: Readonly<Record<string, unknown>>): Promise<void> =>
      writeFile(
        join(root, 'package-lock.json'),
        JSON.stringify({ packages: { '': {}, 'node_modules/@a/tiny': tiny, ...more } }),
      );
    const unpack = (): { readonly status: number | null; readonly stderr: string } => {
      const script = join(import.meta.dirname, '../../../airgap/src/machine/unpack-packages.ts');
      const { status, stderr } = spawnSync(process.execPath, [script, root, folder], { encoding: 'utf8' });
      return { status, stderr };
    };
    await lock({
      'node_modules/own': { resolved: 'own', link: true },
      'node_modules/b': { dev: true, integrity: 'x' },
    });
    expect(unpack()).toMatchObject({ status: 0 });
    expect(await readFile(join(root, 'node_modules/@a/tiny/cli.js'))).toEqual(bytesOf('x', 30_000));
    expect((await stat(join(root, 'node_modules/.bin/tiny'))).mode & 0o111).toBe(0o111);
    expect(await readlink(join(root, 'node_modules/own'))).toBe('../own');

    await lock({ 'node_modules/other': { version: '2.0.0', integrity: 'sha512-other' } });
    expect(unpack()).toMatchObject({ status: 5, stderr: expect.stringContaining('other 2.0.0') as string });

    await lock({});
    await changePacks(folder);
    expect(unpack()).toMatchObject({ status: 5, stderr: expect.stringContaining(`expected ${integrity}`) as string });
  });
});

async function packed(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name }, text);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar.pipe(createGzip())) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

async function changePacks(folder: string): Promise<void> {
  for (const name of await readdir(join(folder, 'packs'))) {
    const file = await open(join(folder, 'packs', name), 'r+');
    await file.write(Buffer.from('changed'), 0, 7, 3000);
    await file.close();
  }
}
