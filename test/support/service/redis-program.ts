import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEFAULT_INSTANCE, instancePaths } from '@delos/core';

const exec = promisify(execFile);

/** What Debian's server needs beside what every Debian has. */
const LIBRARIES = /^(libjemalloc2|liblua5\.1-0|lua-cjson|lua-bitop|liblzf1|libatomic1|libhiredis\S*|libvalkey\S*)$/;

/** The server's program, and what it needs in its environment. */
export interface RedisProgram {
  /** Holds `redis-server` and `redis-cli`, or `valkey-…`. */
  readonly bin: string;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The server that our image has, unpacked from Debian's packages into the cache; nothing is installed on the machine. The
 * folder gets its name when it is complete.
 */
export async function redisProgram(): Promise<RedisProgram> {
  const { cache } = instancePaths(DEFAULT_INSTANCE, process.env);
  const folder = join(cache, 'test', 'redis');
  if (!(await isThere(folder))) await unpack(folder);
  const libraries = (await readdir(join(folder, 'usr/lib'))).filter((name) => name.endsWith('-linux-gnu'));
  const paths = libraries.map((name) => join(folder, 'usr/lib', name));
  return { bin: join(folder, 'usr/bin'), env: { LD_LIBRARY_PATH: paths.join(':') } };
}

async function unpack(folder: string): Promise<void> {
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
    const known = new Set(await apt('apt-cache', 'pkgnames'));
    const server = known.has('redis-server') ? 'redis' : 'valkey';
    const needed = await apt('apt-cache', 'depends', '--recurse', '--important', `${server}-server`);
    const libraries = needed.map((line) => line.replace(/^.*:/, '').trim()).filter((name) => LIBRARIES.test(name));
    await apt('apt-get', 'download', `${server}-server`, `${server}-tools`, ...new Set(libraries));
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
