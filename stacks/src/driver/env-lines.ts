import { mkdir, readdir, readlink, symlink, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { InstancePaths } from '@delos/core';
import { shellWord } from '@delos/host';
import { MISLEADING, prepareHome, pulumiEnvironment, pulumiHome } from './home.ts';
import { preparePlugins } from './plugins.ts';

export interface EnvironmentInput {
  readonly paths: InstancePaths;
  readonly pulumi: { readonly path: string };
  readonly handle: { readonly kubeconfig: string };
  /** Further commands to put on PATH: name → executable. */
  readonly commands?: Readonly<Record<string, string>>;
}

export interface EnvironmentLines {
  readonly variables: Readonly<Record<string, string>>;
  /** For `eval` in any POSIX shell. */
  readonly text: string;
}

/** What a shell needs so that plain `pulumi` (in this repository) and `kubectl` mean this instance. */
export async function envLines(input: EnvironmentInput): Promise<EnvironmentLines> {
  const home = pulumiHome(input.paths);
  await prepareHome(home, input.pulumi);
  await preparePlugins(home);
  const folder = join(input.paths.state, 'bin');
  await linkCommands(folder, { ...input.commands, pulumi: input.pulumi.path });
  // An official language host takes Node from PATH, and the programs need one that runs TypeScript.
  const path = [folder, dirname(process.execPath)];
  const variables = { ...pulumiEnvironment(home), KUBECONFIG: input.handle.kubeconfig };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${shellWord(value)}`);
  return {
    variables: { ...variables, PATH: [...path, process.env.PATH ?? ''].join(':') },
    text: [`unset ${MISLEADING}`, `export PATH=${path.map(shellWord).join(':')}:"$PATH"`, ...lines].join('\n'),
  };
}

/** Exactly these links in the folder. */
async function linkCommands(folder: string, commands: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) {
    if (!(name in commands)) await unlink(join(folder, name));
  }
  for (const [name, target] of Object.entries(commands)) {
    const link = join(folder, name);
    const present = await readlink(link).catch(() => undefined);
    if (present === target) continue;
    if (present !== undefined) await unlink(link);
    await symlink(target, link);
  }
}
