import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createGzip, zstdCompressSync } from 'node:zlib';
import { joined, openBundle, tryComponents, tryDocument, versionChanges } from '@delos/airgap';
import { silent } from '@delos/core';
import { pack } from 'tar-stream';
import { afterAll, describe, expect, test } from 'vitest';
import { sbomContent } from '../../../airgap/src/sbom/content.ts';
import { cycloneDx, spdx } from '../../../airgap/src/sbom/documents.ts';
import { merged, readLayer } from '../../../airgap/src/sbom/layer.ts';
import { purlOf, sorted } from '../../../airgap/src/sbom/package.ts';
import { debianLicence, dpkgStatus, nodePackage, pythonMetadata } from '../../../airgap/src/sbom/parse.ts';
import { bundleIn, Folders, imageOf, NOW } from '../../support/airgap/bundles.ts';
import { zipOf } from '../../support/airgap/zip.ts';

const folders = new Folders();
afterAll(() => folders.end());

async function tarOf(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, text] of Object.entries(files)) tar.entry({ name, mtime: NOW }, text);
  tar.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of tar) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
async function gzipped(bytes: Buffer): Promise<Buffer> {
  const zip = createGzip();
  zip.end(bytes);
  const pieces: Buffer[] = [];
  for await (const piece of zip) pieces.push(piece as Buffer);
  return Buffer.concat(pieces);
}
async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield bytes.subarray(at, at + 1000);
}
const TAR = 'application/vnd.oci.image.layer.v1.tar';
const layer = async (files: Readonly<Record<string, string | Buffer>>) => readLayer(piecesOf(await tarOf(files)), TAR);

const STATUS = (version: string): string =>
  `Package: libssl3\nStatus: install ok installed\nVersion: ${version}\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n`;

describe('what package managers leave', () => {
  test('dpkg: what is installed, and not what was', () => {
    expect(dpkgStatus(STATUS('3.0.1'))).toEqual([{ type: 'deb', name: 'libssl3', version: '3.0.1' }]);
  });
  test('a copyright file in its machine-readable form names licences', () => {
    const text = 'Format: https://example.org\nLicense: MIT\n text\n\nFiles: x\nLicense: Apache-2.0\n\nLicense: MIT\n';
    expect(debianLicence(text)).toBe('Apache-2.0 AND MIT');
    expect(debianLicence('This is free software\nLicense: MIT')).toBeUndefined();
  });
  test.each([
    ['License-Expression: MIT\nLicense: other', 'MIT'],
    ['License: BSD', 'BSD'],
    [`License: ${'x'.repeat(200)}\nClassifier: License :: OSI Approved :: MIT License`, 'MIT License'],
  ])('a wheel with %j has the licence %j', (lines, licence) => {
    expect(
      pythonMetadata(`Metadata-Version: 2.4\nName: Zope.Interface\nVersion: 1.0\n${lines}\n\nLicense: no`),
    ).toEqual([{ type: 'pypi', name: 'zope-interface', version: '1.0', licence }]);
  });
  test('npm: a package, and no folder in one', () => {
    expect(nodePackage('{"name":"@a/b","version":"1.2.3","license":{"type":"MIT"}}')).toEqual([
      { type: 'npm', name: '@a/b', version: '1.2.3', licence: 'MIT' },
    ]);
    for (const none of ['{"type":"module"}', 'no json', '{"name":"x y","version":"1.0.0"}', '[]'])
      expect(nodePackage(none)).toEqual([]);
  });
  test('a program of Go says which modules it is linked of', async () => {
    const { toolchain } = await import('@delos/cluster');
    const { path } = await toolchain().resolve('pause', silent);
    const { packages } = await layer({ pause: await readFile(path) });
    expect(packages.pause?.map(purlOf)).toContainEqual(expect.stringMatching(/^pkg:golang\/stdlib@1\.\d+/));
  });
});

describe('layers', () => {
  test('a later one replaces and removes what an earlier one has', async () => {
    const one = await layer({
      'var/lib/dpkg/status': STATUS('3.0.1'),
      'usr/share/doc/libssl3/copyright': 'Format: x\nLicense: Apache-2.0\n',
      'usr/lib/node_modules/a/package.json': '{"name":"a","version":"1.0.0"}',
      'opt/b-1.dist-info/METADATA': 'Name: b\nVersion: 1\n',
      'opt/x/c-1.dist-info/METADATA': 'Name: c\nVersion: 1\n',
    });
    const two = await layer({
      './var/lib/dpkg/status': STATUS('3.0.2'),
      'usr/lib/node_modules/.wh.a': '',
      'opt/x/.wh..wh..opq': '',
    });
    expect(merged([one, two])).toEqual([
      { type: 'deb', name: 'libssl3', version: '3.0.2', licence: 'Apache-2.0' },
      { type: 'pypi', name: 'b', version: '1' },
    ]);
  });
  test.each([
    ['gzip', gzipped],
    ['zstd', (bytes: Buffer) => Promise.resolve(zstdCompressSync(bytes))],
  ])('one that is packed by %s says the same', async (how, packed) => {
    const tar = await tarOf({ 'var/lib/dpkg/status': STATUS('3.0.1') });
    const read = await readLayer(piecesOf(await packed(tar)), `${TAR}+${how}`);
    expect(read).toEqual(await readLayer(piecesOf(tar), TAR));
  });
  test('what is no program, and what follows a long one, is passed over', async () => {
    const magic = '\x7fELF and \xff Go buildinf: nothing';
    const read = await layer({
      long: Buffer.alloc(3_000_000),
      program: Buffer.concat([Buffer.from(magic, 'latin1'), Buffer.alloc(3_000_000)]),
      'var/lib/dpkg/status': STATUS('3.0.1'),
    });
    expect(Object.keys(read.packages)).toEqual(['var/lib/dpkg/status']);
  });
  test('Java archives say what they are made of, also those within others, and one that says nothing is told by its name', async () => {
    const pom = (artifact: string) => ({
      name: `META-INF/maven/org.example/${artifact}/pom.properties`,
      text: `#made\ngroupId=org.example\nartifactId=${artifact}\nversion=1.2\n`,
    });
    const inner = zipOf([pom('inner')]);
    const read = await layer({
      'opt/app/outer.jar': zipOf([pom('outer'), { name: 'BOOT-INF/lib/inner.jar', bytes: inner }]),
      'opt/app/jboss-logging-3.6.1.Final.jar': zipOf([{ name: 'x.class' }]),
      'opt/app/broken-2.0.jar': Buffer.from('no archive'),
      'opt/app/nothing.jar': Buffer.from('no archive'),
    });
    expect(read.packages).toEqual({
      'opt/app/outer.jar': [
        { type: 'maven', name: 'org.example/outer', version: '1.2' },
        { type: 'maven', name: 'org.example/inner', version: '1.2' },
      ],
      'opt/app/jboss-logging-3.6.1.Final.jar': [{ type: 'maven', name: 'jboss-logging', version: '3.6.1.Final' }],
      'opt/app/broken-2.0.jar': [{ type: 'maven', name: 'broken', version: '2.0' }],
    });
    expect(purlOf({ type: 'maven', name: 'org.example/outer', version: '1.2' })).toBe(
      'pkg:maven/org.example/outer@1.2',
    );
  });
  test('one that is no archive is refused', async () => {
    await expect(readLayer(piecesOf(Buffer.from('no gzip')), `${TAR}+gzip`)).rejects.toThrow();
  });
});

test('an image has both documents in its bundle, the same for the same image, and two say what changes', async () => {
  const work = await folders.make();
  const options = { paths: { cache: join(work, 'cache') }, progress: silent, signal: new AbortController().signal };
  const made = async (version: string, nth: number) => {
    const image = imageOf('registry.example.com/team/one:1', [await tarOf({ 'var/lib/dpkg/status': STATUS(version) })]);
    const content = joined([image, await sbomContent(image, options)]);
    const { folder, list } = await bundleIn(join(work, String(nth)), { content });
    const { index } = await openBundle(folder, { pinned: list, at: NOW });
    const [item] = index.items.filter(({ kind }) => kind === 'image');
    if (item === undefined) throw new Error('no image');
    const components = await tryComponents(folder, index, item);
    return { components: components ?? [], document: await tryDocument(folder, index, item, 'spdx') };
  };
  const [one, same, two] = [await made('3.0.1', 1), await made('3.0.1', 2), await made('3.0.2', 3)];
  expect(one.components).toMatchObject([{ name: 'libssl3', version: '3.0.1', purl: 'pkg:deb/debian/libssl3@3.0.1' }]);
  expect(same.document).toEqual(one.document);
  expect(two.document).not.toEqual(one.document);
  expect(versionChanges(one.components, two.components)).toEqual([
    { type: 'deb', name: 'libssl3', before: ['3.0.1'], after: ['3.0.2'] },
  ]);
});

test('documents have what their specifications ask for, and a licence that is no expression is told as it is', async () => {
  const packages = sorted([
    { type: 'npm', name: '@a/b', version: '1.0.0', licence: 'MIT OR Apache-2.0' },
    { type: 'deb', name: 'c', version: '1:2', licence: 'some words' },
    { type: 'npm', name: '@a/b', version: '1.0.0' },
  ]);
  const digest = `sha256:${'ab'.repeat(32)}` as const;
  const image = { reference: 'r/i:1', digest, licence: undefined, createdAt: NOW.toISOString(), packages };
  const bom = JSON.parse(cycloneDx(image).toString()) as { components: unknown[]; serialNumber: string };
  expect(bom.components).toEqual([
    expect.objectContaining({ purl: 'pkg:deb/debian/c@1:2', licenses: [{ license: { name: 'some words' } }] }),
    expect.objectContaining({ purl: 'pkg:npm/%40a/b@1.0.0', licenses: [{ expression: 'MIT OR Apache-2.0' }] }),
  ]);
  expect(bom.serialNumber).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  const document = JSON.parse(spdx(image).toString()) as { packages: { licenseDeclared: string }[] };
  expect(document.packages.map(({ licenseDeclared }) => licenseDeclared)).toEqual([
    'NOASSERTION',
    'NOASSERTION',
    'MIT OR Apache-2.0',
  ]);
});
