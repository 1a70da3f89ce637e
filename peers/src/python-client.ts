import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PinnedWheel } from '@delos/artifacts';
import { instancePaths } from '@delos/core';
import { execute, expectOk } from './command.ts';

/**
 * A virtual environment with these packages, from the package index that pip is configured for; made once a cache.
 * @returns its folder, whose name tells the packages and their versions
 */
export async function pythonClient(wheels: readonly PinnedWheel[]): Promise<string> {
  const packages = wheels.map(({ project, version }) => `${project}==${version}`);
  const name = wheels.map(({ project, version }) => `${project}-${version}`).join('+');
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
