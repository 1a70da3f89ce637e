import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { instancePaths } from '@delos/core';
import { execute, expectOk } from './command.ts';

/**
 * A virtual environment with these packages, from the package index that pip is configured for; made once a cache.
 * @param name of its folder, which tells the packages' versions
 * @returns the folder
 */
export async function pythonClient(name: string, packages: readonly string[]): Promise<string> {
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
