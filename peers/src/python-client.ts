import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PinnedWheel } from '@delos/artifacts';
import { instancePaths } from '@delos/core';
import { execute, expectOk } from './command.ts';

/**
 * A virtual environment with these packages, from the package index that pip is configured for; made once a cache.
 * @returns its folder, whose name tells the packages and their versions
 */
export function pythonClient(wheels: readonly PinnedWheel[]): Promise<string> {
  const packages = wheels.map(({ project, version }) => `${project}==${version}`);
  return environment(wheels.map(({ project, version }) => `${project}-${version}`).join('+'), packages);
}

/** The same with exactly the wheels of a file of requirements, each with its hash. */
export async function pythonOf(name: string, requirements: string): Promise<string> {
  const hash = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  return environment(`${name}-${hash.slice(0, 12)}`, ['--require-hashes', '--no-deps', '--requirement', requirements]);
}

async function environment(name: string, packages: readonly string[]): Promise<string> {
  const venv = join(instancePaths('delos', process.env).cache, 'clients', name);
  const done = join(venv, '.complete');
  if (await exists(done)) return venv;
  await mkdir(dirname(venv), { recursive: true });
  await rm(venv, { recursive: true, force: true });
  await expectOk(execute(['python3', '-m', 'venv', venv], { timeout: 120 }));
  const pip = [join(venv, 'bin/python3'), '-m', 'pip', 'install', '--quiet', '--only-binary', ':all:', ...packages];
  await expectOk(execute(pip, { timeout: 600 }));
  await writeFile(`${done}.new`, `${packages.join(' ')}\n`);
  await rename(`${done}.new`, done);
  return venv;
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
