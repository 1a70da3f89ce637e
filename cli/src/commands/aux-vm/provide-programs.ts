import { createHash } from 'node:crypto';
import { copyFile, cp, mkdir, mkdtemp, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { DelosError } from '@delos/core';
import { run } from '@delos/host';
import type { CommandContext } from '../../context.ts';

/** Pythons of Debian 12 and 13. Their compiled modules have names of their own, so that one tree serves both. */
const PYTHONS = ['3.11', '3.13'] as const;

/** What pins DevPI's wheels, and for which versions of Python. */
export const devpiRequirements = (root: string) => ({
  file: join(root, 'artifacts/images/devpi/requirements.txt'),
  pythons: PYTHONS,
});

/**
 * The folder of programs that an auxiliary machine runs, made of this machine's tools and of pinned wheels. One that is there is
 * taken as it is: its name follows from all that is in it.
 * @param wheels folder to take wheels from; left out: pip asks its index
 */
export async function providePrograms(context: CommandContext, wheels?: string): Promise<string> {
  const { resolveTool } = await import('@delos/cluster');
  const { EXECUTABLES, DEVPI } = await import('@delos/stacks');
  const { progress, paths } = context;
  const tools = await Promise.all(
    EXECUTABLES.map(async (name) => ({ name, path: (await resolveTool(name, progress)).path })),
  );
  const { file: requirements } = devpiRequirements(context.root);
  const sizes = await Promise.all(tools.map(async ({ path }) => `${path} ${(await stat(path)).size}`));
  const key = createHash('sha256')
    .update([...sizes, ...PYTHONS, await readFile(requirements, 'utf8')].join('\n'))
    .digest('hex');
  const folder = join(paths.cache, 'aux-vm', key.slice(0, 16));
  if (await isThere(folder)) return folder;
  await mkdir(join(folder, '..'), { recursive: true });
  const work = await mkdtemp(`${folder}.new-`);
  try {
    for (const { name, path } of tools) await symlink(path, join(work, name));
    await installWheels(context, requirements, join(work, DEVPI), wheels);
    await rename(work, folder).catch(async (error: unknown) => {
      // Another run was faster.
      if (!(await isThere(folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

/** Copies what {@link providePrograms} gives to a folder that can be carried elsewhere. */
export async function copyPrograms(from: string, to: string): Promise<void> {
  const { EXECUTABLES, DEVPI } = await import('@delos/stacks');
  await mkdir(to, { recursive: true });
  for (const name of EXECUTABLES) await copyFile(join(from, name), join(to, name));
  await rm(join(to, DEVPI), { recursive: true, force: true });
  await cp(join(from, DEVPI), join(to, DEVPI), { recursive: true });
}

async function installWheels(
  context: CommandContext,
  requirements: string,
  target: string,
  wheels: string | undefined,
): Promise<void> {
  const { ensureOsPackages } = await import('@delos/cluster');
  const { progress, signal } = context;
  await ensureOsPackages('pip', progress);
  await mkdir(target);
  for (const version of PYTHONS) {
    progress.step(`${wheels === undefined ? 'fetching' : 'unpacking'} DevPI for Python ${version} through pip`);
    const part = `${target}-${version}`;
    const args = [
      ...['-m', 'pip', '--disable-pip-version-check', '--no-input', 'install', '--quiet', '--no-compile', '--no-deps'],
      ...['--only-binary', ':all:', '--require-hashes', '--python-version', version, '--root-user-action', 'ignore'],
      ...['--requirement', requirements, '--target', part],
      ...(wheels === undefined ? [] : ['--no-index', '--find-links', wheels]),
    ];
    const { code, stderr } = await run('python3', args, { limitSeconds: 900, signal });
    if (code !== 0) {
      throw new DelosError('ERR_TOOL_UNAVAILABLE', `pip could not bring DevPI: ${stderr.trim().split('\n').at(-1)}`, {
        hint: `check that pip reaches its index: pip download --no-deps --requirement ${requirements}`,
      });
    }
    await rm(join(part, 'bin'), { recursive: true, force: true });
    await cp(part, target, { recursive: true, force: false });
    await rm(part, { recursive: true });
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
