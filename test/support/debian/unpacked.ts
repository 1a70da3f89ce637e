import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEFAULT_INSTANCE, instancePaths } from '@delos/core';

const exec = promisify(execFile);

/** What is unpacked of Debian. */
export interface DebianParts {
  /** Name of the folder in the cache. */
  readonly name: string;
  /** Packages with programs, given the names of all that there are. */
  readonly packages: (known: ReadonlySet<string>) => readonly string[];
  /** What the first of them needs beside what every Debian has. */
  readonly libraries: RegExp;
}

/** Programs of Debian's packages, and what they need in their environment. */
export interface Unpacked {
  /** Holds `usr`, `etc` and the rest. */
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Unpacks Debian's packages into the cache; nothing is installed on the machine. The folder gets its name when it is
 * complete.
 */
export async function unpackedDebian(parts: DebianParts): Promise<Unpacked> {
  const { cache } = instancePaths(DEFAULT_INSTANCE, process.env);
  const root = join(cache, 'test', parts.name);
  if (!(await isThere(root))) await unpack(root, parts);
  const folders = await readdir(join(root, 'usr/lib')).catch(() => []);
  const libraries = folders.filter((name) => name.endsWith('-linux-gnu'));
  return { root, env: { LD_LIBRARY_PATH: libraries.map((name) => join(root, 'usr/lib', name)).join(':') } };
}

async function unpack(folder: string, { packages, libraries }: DebianParts): Promise<void> {
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    for (const name of ['lists/partial', 'cache/archives/partial']) await mkdir(join(work, name), { recursive: true });
    // Lists of its own: the machine's may be old or missing, and are not ours to change.
    const options = [`Dir::State::Lists=${work}/lists`, `Dir::Cache=${work}/cache`, 'APT::Sandbox::User=root'];
    const apt = async (program: 'apt-get' | 'apt-cache', ...args: readonly string[]): Promise<readonly string[]> => {
      const given = [...options, 'Acquire::Retries=3'].flatMap((option) => ['-o', option]);
      const { stdout } = await exec(program, ['-q', ...given, ...args], { cwd: work, maxBuffer: 2 ** 26 });
      return stdout.split('\n');
    };
    await apt('apt-get', 'update');
    const chosen = packages(new Set(await apt('apt-cache', 'pkgnames')));
    const [first = ''] = chosen;
    const needed = await apt('apt-cache', 'depends', '--recurse', '--important', first);
    const more = needed.map((line) => line.replace(/^.*:/, '').trim()).filter((name) => libraries.test(name));
    await apt('apt-get', 'download', ...chosen, ...new Set(more));
    const target = join(work, 'unpacked');
    for (const file of await readdir(work)) {
      if (file.endsWith('.deb')) await exec('dpkg-deb', ['--extract', join(work, file), target]);
    }
    await rename(target, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );
