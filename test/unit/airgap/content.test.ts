import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip } from 'node:zlib';
import { digestOf, hexOf, joined } from '@delos/airgap';
import { ADDON_IMAGES } from '@delos/cluster';
import { parseConfig } from '@delos/constructs';
import { pack } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { checkArchive, leadsOut } from '../../../airgap/src/content/archive.ts';
import { fileContent } from '../../../airgap/src/content/artifact.ts';
import { imageContent, ociLayout } from '../../../airgap/src/content/images.ts';
import { leftOut } from '../../../airgap/src/content/platform.ts';
import { imagesIn, unlisted } from '../../../airgap/src/content/references.ts';
import { toolNames } from '../../../airgap/src/content/tools.ts';
import { bundleIn, bytesOf, Folders, faultsOf, imageOf } from '../../support/airgap/bundles.ts';
import { zipOf } from '../../support/airgap/zip.ts';

const folders = new Folders();
afterAll(() => folders.end());

interface TarEntry {
  readonly name: string;
  readonly type?: 'symlink' | 'link' | 'fifo' | 'directory';
  readonly linkname?: string;
}

async function tarOf(entries: readonly TarEntry[], zipped: boolean): Promise<Buffer> {
  const tar = pack();
  for (const entry of entries) tar.entry(entry, entry.type === undefined ? 'x' : '');
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of zipped ? tar.pipe(createGzip()) : tar) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}

describe('an archive', () => {
  const OUT = ['../x', 'a/../../x', '/etc/passwd', 'a/..', 'C:\\x', '..\\x', '\\\\host\\x'];

  test.each(OUT)('whose entry is %j leads out', (name) => {
    expect(leadsOut(name)).toBe(true);
  });
  test.each(['a', 'a/b.py', './a', 'a..b', '..a/b', 'a/'])('whose entry is %j does not', (name) => {
    expect(leadsOut(name)).toBe(false);
  });

  test.each([
    ['x.whl', 'zip'],
    ['x.zip', 'zip'],
    ['x.tgz', 'tar'],
    ['x.tar.gz', 'tar'],
    ['x.tar', 'tar'],
  ])('%s with an entry that leads out or is a link does not get into a bundle', async (file, kind) => {
    const folder = await folders.make();
    const path = join(folder, file);
    const write = async (name: string, link: boolean): Promise<void> =>
      writeFile(
        path,
        kind === 'zip'
          ? zipOf([{ name: 'fine.txt' }, { name, link }])
          : await tarOf(
              [{ name: 'fine.txt' }, link ? { name, type: 'symlink', linkname: '/etc' } : { name }],
              file !== 'x.tar',
            ),
      );
    await write('a/b.txt', false);
    await checkArchive(path);
    for (const name of OUT) {
      await write(name, false);
      await expect(checkArchive(path), name).rejects.toThrow(`${path}: its entry ${JSON.stringify(name)} leads out`);
    }
    await write('a/link', true);
    await expect(checkArchive(path)).rejects.toThrow('its entry "a/link" is a link');
    await writeFile(path, 'no archive at all');
    await expect(checkArchive(path)).rejects.toThrow('cannot be read as an archive');
  });

  test('with a device in it does not get into a bundle, and what is no archive is not looked into', async () => {
    const path = join(await folders.make(), 'x.tar');
    await writeFile(path, await tarOf([{ name: 'pipe', type: 'fifo' }], false));
    await expect(checkArchive(path)).rejects.toThrow('is neither a file nor a folder');
    await checkArchive('/no/such/model.safetensors');
  });
});

describe('an image of a folder', () => {
  test('goes in with all that its manifest leads to; one that lacks a blob does not, and the blob is named', async () => {
    const folder = await folders.make();
    const { items, blobs } = imageOf('registry.example.com/a:1', [bytesOf('a', 900)], [bytesOf('b', 800)]);
    await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
    for (const [digest, source] of blobs) {
      const pieces: Buffer[] = [];
      for await (const piece of source.read(0, source.size)) pieces.push(piece);
      await writeFile(join(folder, 'blobs/sha256', hexOf(digest)), Buffer.concat(pieces));
    }
    const [item] = items;
    if (item === undefined) throw new Error('no item');
    const image = { name: item.name, digest: item.descriptor.digest };
    const read = await imageContent(ociLayout(folder), image);
    expect(read.items).toEqual(items);
    expect([...read.blobs.keys()].toSorted()).toEqual([...blobs.keys()].toSorted());
    const last = item.parts.at(-1) ?? item.descriptor.digest;
    await truncate(join(folder, 'blobs/sha256', hexOf(last)), 10);
    await expect(imageContent(ociLayout(folder), image)).rejects.toThrow(`its blob ${last} has 10 bytes, expected 800`);
    await rm(join(folder, 'blobs/sha256', hexOf(last)));
    await expect(imageContent(ociLayout(folder), image)).rejects.toThrow(`it lacks the blob ${last}`);
  });
});

describe('a file', () => {
  test('is an artifact; a file that changes while the bundle is written fails it by name', async () => {
    const folder = await folders.make();
    const path = join(folder, 'weights.bin');
    await writeFile(path, bytesOf('weights', 40_000));
    const content = await fileContent({ kind: 'file', name: 'models/weights.bin', path });
    const { list } = await bundleIn(join(folder, 'bundle'), { content });
    expect(await faultsOf(join(folder, 'bundle'), list)).toEqual([]);
    await writeFile(path, bytesOf('others', 40_000));
    await expect(bundleIn(join(folder, 'two'), { content })).rejects.toThrow(`${path} has sha256`);
    await writeFile(path, 'short');
    await expect(bundleIn(join(folder, 'three'), { content })).rejects.toThrow(
      `${path} ended after 5 bytes, expected 40000`,
    );
    expect(await faultsOf(join(folder, 'two'), list)).toMatchObject([
      { kind: 'file-missing', file: 'bundle.json.dsse' },
    ]);
  });

  test('of the same name as another is refused', async () => {
    const folder = await folders.make();
    const both = await Promise.all(
      ['a', 'b'].map(async (text) => {
        await writeFile(join(folder, text), text);
        return fileContent({ kind: 'file', name: 'same', path: join(folder, text) });
      }),
    );
    expect(() => joined(both)).toThrow('two different things are called file same');
  });
});

describe('the images that manifests name', () => {
  const pod = (image: string, more: object = {}) => ({
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'delos' },
    spec: { containers: [{ name: 'c', image, ...more }] },
  });

  test('are those of containers, and ours wherever they stand', () => {
    const manifests = [
      pod('docker.io/library/a:1'),
      pod('b@sha256:x', { env: [{ name: 'HELPER', value: 'use registry.delos.internal/delos/base:1-ab, please' }] }),
    ];
    expect(imagesIn(manifests).map(({ reference }) => reference)).toEqual([
      'docker.io/library/a:1',
      'b@sha256:x',
      'registry.delos.internal/delos/base:1-ab',
    ]);
    expect(imagesIn(manifests)[0]?.by).toBe('Pod delos/p');
  });

  test('are listed by name, by a further name, or by digest', () => {
    const [item] = imageOf('r.example.com/a:1', [Buffer.from('x')]).items;
    if (item === undefined) throw new Error('no item');
    const items = [{ ...item, answers: ['docker.io/library/a:1'] }];
    const asked = ['r.example.com/a:1', 'docker.io/library/a:1', `r.example.com/a@${item.descriptor.digest}`];
    const others = ['r.example.com/a:2', `r.example.com/a@${digestOf(Buffer.from('y'))}`];
    const referred = [...asked, ...others].map((reference) => ({ reference, by: 'x' }));
    expect(unlisted(referred, items).map(({ reference }) => reference)).toEqual(others);
  });
});

test('images that no service runs stay out, but for those of the node itself', () => {
  const plain = leftOut(parseConfig('', 'delos.yaml'));
  expect(plain).toEqual(expect.arrayContaining(['grafana', 'patroni']));
  for (const name of ADDON_IMAGES) expect(plain).not.toContain(name);
  expect(leftOut(parseConfig('services: { redis: { enabled: false } }', 'delos.yaml'))).toContain('redis');
});

test('the tools of a site are those that run there: not what builds, and not what only images have', () => {
  const names = toolNames(['coredns', 'depot']);
  expect(names).toEqual(
    expect.arrayContaining(['kube', 'pulumi', 'registry', 'crane', 'cni-gate', 'runc-guard', 'depot', 'coredns']),
  );
  for (const absent of ['go', 'prometheus', 'objects'] as const) expect(names).not.toContain(absent);
});

test('a link in place of an image’s blob is followed by nobody else than the operating system', async () => {
  const folder = await folders.make();
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  const digest = digestOf(Buffer.from('x'));
  await symlink('/etc/passwd', join(folder, 'blobs/sha256', hexOf(digest)));
  await expect(imageContent(ociLayout(folder), { name: 'r.example.com/a:1', digest })).rejects.toThrow(
    'has changed, or is none',
  );
});
