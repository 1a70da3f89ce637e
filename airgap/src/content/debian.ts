import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { osPackages, tryOsRelease } from '@delos/cluster';
import { run } from '@delos/host';
import { fileContent, hashFile } from './artifact.ts';
import { type Content, contentError, joined } from './content.ts';
import type { NpmOptions } from './npm.ts';

/** Its name among the items of a release, and the file that apt looks for. */
export const PACKAGES_INDEX = 'Packages';

/**
 * The packages of Debian that a node and the installation of wheels need, with all that they need down to the C library, for the release of Debian that this machine
 * has; and an index of them, so that apt at the site takes from it what the machine lacks.
 * @throws DelosError ERR_BUNDLE_CONTENT
 */
export async function debianContent(options: Omit<NpmOptions, 'root'>): Promise<Content> {
  const release = await tryOsRelease();
  if (release?.id !== 'debian' || release.codename === undefined) {
    throw contentError(
      `this machine runs ${release?.title ?? 'an unknown system'}, and packages for nodes are those of Debian`,
      'make the bundle on the release of Debian that the site runs, or leave them out: --parts images wheels tools npm',
    );
  }
  const { codename } = release;
  const folder = await resolved(codename, options);
  const contents: Content[] = [];
  for (const name of (await readdir(folder)).toSorted()) {
    contents.push(await fileContent({ kind: 'deb', name: `${codename}/${name}`, path: join(folder, name) }));
  }
  return joined(contents);
}

async function resolved(codename: string, options: Omit<NpmOptions, 'root'>): Promise<string> {
  const { paths, progress, fetch } = options;
  const names = [...new Set([...osPackages('node'), ...osPackages('pip')])].toSorted();
  const all = join(paths.cache, 'bundle/debian');
  const key = createHash('sha256').update(names.join('\n')).digest('hex').slice(0, 16);
  const folder = join(all, `${codename}-${key}`);
  if ((await readdir(folder).catch((): string[] => [])).includes(PACKAGES_INDEX)) return folder;
  if (!fetch) {
    throw contentError(
      `the Debian packages of a node (${names.join(', ')}) are not found in the cache`,
      '`delos bundle create` without --offline-check fetches them',
    );
  }
  progress.step(`fetching Debian packages of ${codename} through apt`);
  await mkdir(all, { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    const wanted = await closure(names, options);
    await apt(['download', ...wanted], options, work);
    await writeFile(join(work, PACKAGES_INDEX), await indexOf(work, options));
    await rename(work, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if (!(await readdir(folder).catch((): string[] => [])).includes(PACKAGES_INDEX)) throw error;
    });
    return folder;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** `NAME=VERSION` of all that these need, as if nothing at all were installed. */
async function closure(names: readonly string[], options: Omit<NpmOptions, 'root'>): Promise<readonly string[]> {
  const args = ['--simulate', '--no-install-recommends', '-o', 'Dir::State::status=/dev/null', 'install', ...names];
  const text = await apt(args, options).catch(async () => {
    // The lists may be absent or older than the mirror.
    await apt(['update'], options);
    return apt(args, options);
  });
  return [...text.matchAll(/^Inst (\S+) \((\S+) /gm)].map(([, name = '', version = '']) => `${name}=${version}`);
}

/** A stanza a package: its own control file, and where it lies. https://wiki.debian.org/DebianRepository/Format */
async function indexOf(folder: string, options: Omit<NpmOptions, 'root'>): Promise<string> {
  const stanzas: string[] = [];
  for (const name of (await readdir(folder)).filter((each) => each.endsWith('.deb')).toSorted()) {
    const path = join(folder, name);
    // A version's epoch is written as %3a in a file's name, which an item's name has no room for.
    const plain = decodeURIComponent(name);
    if (plain !== name) await rename(path, join(folder, plain));
    const { code, stdout } = await run('dpkg-deb', ['-f', join(folder, plain)], {
      limitSeconds: 60,
      signal: options.signal,
    });
    if (code !== 0) throw contentError(`${plain} is no package of Debian`, 'remove it from apt’s cache, and try again');
    const { size } = await stat(join(folder, plain));
    const sha256 = await hashFile(join(folder, plain));
    stanzas.push(`${stdout.trimEnd()}\nFilename: ./${plain}\nSize: ${size}\nSHA256: ${sha256}\n`);
  }
  return stanzas.join('\n');
}

async function apt(args: readonly string[], options: Omit<NpmOptions, 'root'>, cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await run('apt-get', ['-q', '-o', 'APT::Sandbox::User=root', ...args], {
    limitSeconds: 1800,
    signal: options.signal,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
    ...(cwd === undefined ? {} : { cwd }),
  });
  if (code === 0) return stdout;
  const why = stderr.split('\n').find((line) => line.startsWith('E:')) ?? 'no message';
  throw contentError(`apt-get ${args[0] ?? ''} failed: ${why}`, 'check that apt reaches its mirror: apt-get update');
}
