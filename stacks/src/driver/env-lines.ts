import { realpathSync } from 'node:fs';
import { mkdir, readdir, readlink, realpath, symlink, unlink } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { InstancePaths } from '@delos/core';
import { shellWord, writeIfChanged } from '@delos/host';
import { answerForSdkVersion } from '../language-host/provider-version.ts';
import { localHome, MISLEADING, prepareHome, pulumiEnvironment, pulumiHome } from './home.ts';
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
  const folder = join(input.paths.state, 'bin');
  const pulumi = await realCommand(folder, input.pulumi.path);
  await prepareHome(home, { path: pulumi });
  await preparePlugins(home);
  // Our language host does this for each program; an official one does not.
  await answerForSdkVersion(join(REPOSITORY, 'stacks'), home.home);
  await mkdir(folder, { recursive: true });
  const links = await Promise.all(
    Object.entries(input.commands ?? {}).map(async ([name, path]) => [name, await realCommand(folder, path)] as const),
  );
  await linkCommands(folder, { ...Object.fromEntries(links), [REAL_PULUMI]: pulumi });
  const { PULUMI_STACK: stack, PULUMI_OPTION_CONFIG_FILE: file, ...shared } = pulumiEnvironment(home);
  writeIfChanged(join(folder, 'pulumi'), pulumiScript(join(folder, REAL_PULUMI), { stack, file }), 0o755);
  // An official language host takes Node from PATH, and the programs need one that runs TypeScript.
  const path = [folder, dirname(process.execPath)];
  const variables = { ...shared, KUBECONFIG: input.handle.kubeconfig };
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${shellWord(value)}`);
  return {
    variables: { ...variables, PATH: [...path, process.env.PATH ?? ''].join(':') },
    text: [`unset ${MISLEADING}`, `export PATH=${path.map(shellWord).join(':')}:"$PATH"`, ...lines].join('\n'),
  };
}

/** What a shell needs so that plain `pulumi` in the folder stacks/local means the stack of this instance's cluster. */
export async function localLines(input: Pick<EnvironmentInput, 'paths' | 'pulumi'>): Promise<EnvironmentLines> {
  const home = localHome(input.paths);
  await prepareHome(home, input.pulumi);
  await preparePlugins(home);
  const variables = { ...pulumiEnvironment(home), DELOS_INSTANCE: input.paths.instance };
  const path = [dirname(input.pulumi.path), dirname(process.execPath)];
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${shellWord(value)}`);
  return {
    variables: { ...variables, PATH: [...path, process.env.PATH ?? ''].join(':') },
    text: [`unset ${MISLEADING}`, `export PATH=${path.map(shellWord).join(':')}:"$PATH"`, ...lines].join('\n'),
  };
}

/** The repository, whose Pulumi.yaml is the platform's project. */
const REPOSITORY = realpathSync(resolve(dirname(fileURLToPath(import.meta.url)), '../../..'));
const REAL_PULUMI = '.pulumi';

/**
 * `pulumi` as the shell has it. The instance's stack and its configuration hold in Delos's own project alone: a program
 * of the person's own, in the same shell, has stacks and configuration of its own.
 */
function pulumiScript(
  command: string,
  own: { readonly stack: string | undefined; readonly file: string | undefined },
): string {
  return `#!/bin/sh
here=$PWD
before=
for word do
  case $before in -C | --cwd) here=$word ;; esac
  case $word in --cwd=*) here=\${word#--cwd=} ;; esac
  before=$word
done
here=$(cd "$here" 2>/dev/null && pwd -P) || here=$PWD
while [ -n "$here" ] && [ ! -e "$here/Pulumi.yaml" ] && [ ! -e "$here/Pulumi.yml" ]; do here=\${here%/*}; done
if [ "$here" = ${shellWord(REPOSITORY)} ]; then
  export PULUMI_STACK="\${PULUMI_STACK:-${own.stack ?? ''}}" PULUMI_OPTION_CONFIG_FILE=${shellWord(own.file ?? '')}
fi
exec ${shellWord(command)} "$@"
`;
}

/**
 * The command behind a path. In a shell that has these variables already, a command is found in our own folder, and a
 * link to that would be a link to itself.
 */
async function realCommand(folder: string, path: string): Promise<string> {
  const inOwn = (await realpath(dirname(path)).catch(() => '')) === (await realpath(folder).catch(() => folder));
  if (!inOwn) return path;
  return readlink(join(folder, basename(path) === 'pulumi' ? REAL_PULUMI : basename(path)));
}

/** Exactly these links in the folder, beside our own `pulumi`. */
async function linkCommands(folder: string, commands: Readonly<Record<string, string>>): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!(name in commands) && name !== 'pulumi') await unlink(join(folder, name));
  }
  for (const [name, target] of Object.entries(commands)) {
    const link = join(folder, name);
    const present = await readlink(link).catch(() => undefined);
    if (present === target) continue;
    if (present !== undefined) await unlink(link);
    await symlink(target, link);
  }
}
