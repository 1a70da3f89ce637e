import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureOsPackages } from '@delos/cluster';
import type { InstancePaths, Progress } from '@delos/core';
import { run } from '@delos/host';
import { checkArchive } from './archive.ts';
import { fileContent, hashFile } from './artifact.ts';
import { type Content, contentError, joined } from './content.ts';

export interface WheelOptions {
  /** `NAME==VERSION` each. */
  readonly packages: readonly string[];
  /** `3.11` each. */
  readonly pythons: readonly string[];
  readonly paths: Pick<InstancePaths, 'cache'>;
  readonly progress: Progress;
  readonly signal: AbortSignal;
  /** Ask pip for what the cache lacks. Otherwise it is named as not found. */
  readonly fetch: boolean;
}

/** A wheel for a Python of this machine's kind: x86-64 with glibc 2.17 or later, as Debian 12 and what is newer. */
const PLATFORMS = ['manylinux_2_28_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64'];

/**
 * Packages and all that they need, as pip resolves them, for each version of Python. What pip once resolved is kept, so that
 * the same packages give the same wheels; the index of the bundle is their lock.
 * @throws DelosError ERR_BUNDLE_CONTENT
 */
export async function wheelContent(options: WheelOptions): Promise<Content> {
  const wanted = { what: options.packages.join(', '), key: options.packages.toSorted(), args: options.packages };
  return wheelsOf(wanted, options);
}

/**
 * The wheels that a file of requirements pins, each with its digest, for each version of Python.
 * @throws DelosError ERR_BUNDLE_CONTENT
 */
export async function pinnedWheels(file: string, options: Omit<WheelOptions, 'packages'>): Promise<Content> {
  const key = [await hashFile(file)];
  return wheelsOf({ what: file, key, args: ['--no-deps', '--require-hashes', '--requirement', file] }, options);
}

/** What pip is asked for, and by what it is told apart from other answers. */
interface Wanted {
  /** For messages. */
  readonly what: string;
  readonly key: readonly string[];
  readonly args: readonly string[];
}

async function wheelsOf(wanted: Wanted, options: Omit<WheelOptions, 'packages'>): Promise<Content> {
  const files = new Map<string, string>();
  for (const python of options.pythons) {
    const folder = await resolved(wanted, options, python);
    for (const name of (await readdir(folder)).toSorted()) files.set(name, join(folder, name));
  }
  const contents: Content[] = [];
  for (const [name, path] of files) contents.push(await wheelFile(path, name));
  return joined(contents);
}

/** One wheel, as it is. @throws DelosError ERR_BUNDLE_CONTENT for one with an entry that leads out of its folder */
export async function wheelFile(path: string, name: string): Promise<Content> {
  await checkArchive(path);
  return fileContent({ kind: 'wheel', name, path });
}

async function resolved(
  { what, key: parts, args: asked }: Wanted,
  options: Omit<WheelOptions, 'packages'>,
  python: string,
): Promise<string> {
  const { paths, progress, signal } = options;
  const all = join(paths.cache, 'bundle/wheels');
  const key = createHash('sha256')
    .update([...parts, ...PLATFORMS].join('\n'))
    .digest('hex')
    .slice(0, 16);
  const folder = join(all, `${python}-${key}`);
  if ((await readdir(folder).catch(() => [])).length > 0) return folder;
  if (!options.fetch) {
    throw contentError(
      `the wheels of ${what} for Python ${python} are not found in the cache`,
      '`delos bundle create` without --offline-check fetches them',
    );
  }
  await ensureOsPackages('pip', progress);
  await mkdir(all, { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    progress.step(`fetching wheels for Python ${python} through pip`);
    const args = [
      ...['-m', 'pip', '--disable-pip-version-check', '--no-input', 'download', '--quiet', '--only-binary', ':all:'],
      ...['--python-version', python, '--implementation', 'cp', ...PLATFORMS.flatMap((each) => ['--platform', each])],
      ...['--dest', work, ...asked],
    ];
    const { code, stderr } = await run('python3', args, { limitSeconds: 900, signal });
    if (code !== 0) {
      const reason = stderr.trim().split('\n').at(-1)?.slice(0, 300) ?? 'no message';
      throw contentError(
        `pip could not bring ${what} for Python ${python}: ${reason}`,
        'check that pip reaches its index, and that each package has wheels',
      );
    }
    await rename(work, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if ((await readdir(folder).catch(() => [])).length === 0) throw error;
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
