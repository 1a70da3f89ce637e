import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DEFAULT_INSTANCE, instancePaths } from '@delos/core';

const exec = promisify(execFile);

/**
 * A program that tests alone need, built from its Go module into the cache.
 * @param path package of its command
 * @returns its executable
 */
export async function goTool(name: string, path: string, version: string): Promise<string> {
  const { cache } = instancePaths(DEFAULT_INSTANCE, process.env);
  const folder = join(cache, 'test', `${name}-${version}`);
  const program = join(folder, name);
  const there = await access(program).then(
    () => true,
    () => false,
  );
  if (there) return program;
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    const env = {
      ...process.env,
      ...{ GOFLAGS: '-mod=mod', CGO_ENABLED: '0' },
      ...{ GOMODCACHE: join(cache, 'go/mod'), GOCACHE: join(cache, 'go/build') },
    };
    const go = (...args: readonly string[]) => exec('go', args, { cwd: work, env, maxBuffer: 2 ** 26 });
    await writeFile(join(work, 'go.mod'), `module ${name}\n\ngo 1.24\n`);
    await go('get', '-tool', `${path}@${version}`);
    await go('build', '-p', '2', '-trimpath', '-ldflags', '-s -w', '-o', name, path);
    await mkdir(folder, { recursive: true });
    await rename(join(work, name), program);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return program;
}
