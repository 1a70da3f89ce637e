import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { mirrorStore, resolveTool } from '@delos/cluster';
import type { BundleSection, InstancePaths, Progress } from '@delos/core';
import { run } from '@delos/host';
import { type Digest, isDigest } from '../format/digest.ts';
import { checkArchive } from './archive.ts';
import { fileContent } from './artifact.ts';
import { type Content, contentError, joined } from './content.ts';
import { imageContent, ociLayout, registryStore } from './images.ts';
import { wheelFile } from './wheels.ts';

export interface AdditionOptions {
  readonly add: BundleSection['add'];
  /** Folder that paths are relative to. */
  readonly folder: string;
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Pull images that the store lacks. Otherwise they are named as not found. */
  readonly fetch: boolean;
}

/** What the administrator adds, and what to take away once the bundle is written. */
export interface Additions {
  readonly content: Content;
  readonly end: () => Promise<void>;
}

/** Names among `bundle.add.wheels` that are packages, for pip to resolve. */
export const addedPackages = ({ wheels }: BundleSection['add']): readonly string[] =>
  wheels.filter((each) => each.includes('=='));

/** @throws DelosError ERR_BUNDLE_CONTENT for what is not found, not what it says, or unsafe to unpack */
export async function additions(options: AdditionOptions): Promise<Additions> {
  const { add, folder } = options;
  const work = await mkdtemp(join(tmpdir(), 'delos-bundle-'));
  const end = (): Promise<void> => rm(work, { recursive: true, force: true });
  try {
    const contents: Content[] = [];
    for (const [nth, reference] of add.images.entries()) {
      contents.push(await addedImage(reference, join(work, String(nth)), options));
    }
    for (const each of add.wheels.filter((wheel) => !wheel.includes('=='))) {
      const path = await plainFile(folder, each, 'bundle.add.wheels');
      contents.push(await wheelFile(path, basename(path)));
    }
    for (const each of add.charts) {
      const path = await plainFile(folder, each, 'bundle.add.charts');
      await checkArchive(path);
      contents.push(await fileContent({ kind: 'chart', name: basename(path), path }));
    }
    for (const { path: each, name } of add.files) {
      const path = await plainFile(folder, each, 'bundle.add.files');
      await checkArchive(path);
      contents.push(await fileContent({ kind: 'file', name, path }));
    }
    return { content: joined(contents), end };
  } catch (error) {
    await end();
    throw error;
  }
}

async function plainFile(folder: string, given: string, field: string): Promise<string> {
  const path = resolve(folder, given);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return path;
  throw contentError(
    `${field}: ${path} is ${found === undefined ? 'not found' : 'no plain file'}`,
    'paths are relative to the folder of delos.yaml',
    { field },
  );
}

/** An image by its digest: of the store where it is there, else pulled by crane. */
async function addedImage(reference: string, work: string, options: AdditionOptions): Promise<Content> {
  const [name = '', digest = ''] = reference.split('@', 2);
  if (!isDigest(digest))
    throw contentError(`image ${reference} is not pinned by a digest`, 'write REGISTRY/NAME:TAG@sha256:…');
  const item = { name: reference, digest, about: { made: `published as ${name}` } };
  const store = registryStore(mirrorStore(options.paths));
  if (await isFileThere(store.fileOf(digest))) return imageContent(store, item);
  if (!options.fetch) {
    throw contentError(
      `image ${reference} is not found in the store`,
      '`delos bundle create` without --offline-check pulls it',
    );
  }
  await pull(reference, digest, work, options);
  return imageContent(ociLayout(work), item);
}

async function pull(
  reference: string,
  digest: Digest,
  work: string,
  { progress, signal }: AdditionOptions,
): Promise<void> {
  progress.step(`pulling ${reference}`);
  const { path } = await resolveTool('crane', progress);
  const [name = ''] = reference.split('@', 1);
  const pinned = `${name.replace(/:[\w.-]+$/, '')}@${digest}`;
  const loopback = /^(localhost|127\.\d+\.\d+\.\d+)(:|\/)/.test(reference) ? ['--insecure'] : [];
  const { code, stderr } = await run(path, ['pull', ...loopback, '--format', 'oci', pinned, work], {
    limitSeconds: 3600,
    signal,
  });
  if (code === 0) return;
  throw contentError(
    `image ${reference} cannot be pulled: ${stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? 'no message'}`,
    'check the reference and the way to its registry; crane takes logins from `crane auth login`',
  );
}

const isFileThere = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
