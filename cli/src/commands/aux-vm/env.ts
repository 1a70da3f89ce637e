import type { CommandContext } from '../../context.ts';

/** `eval "$(delos aux-vm env)"`: plain `pulumi` in the folder stacks/aux-vm then means this machine's stack. */
export async function run(context: CommandContext): Promise<void> {
  const { auxVmHome, pulumiEnvironment } = await import('@delos/stacks');
  const { resolveTool } = await import('@delos/cluster');
  const { dirname } = await import('node:path');
  const { shellWord } = await import('@delos/host');
  const pulumi = await resolveTool('pulumi', context.progress);
  const variables = pulumiEnvironment(auxVmHome(context.paths));
  const folders = [dirname(pulumi.path), dirname(process.execPath)];
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${shellWord(value)}`);
  context.result(
    { ...variables, PATH: [...folders, process.env.PATH ?? ''].join(':') },
    ['unset PULUMI_CONFIG_PASSPHRASE', `export PATH=${folders.map(shellWord).join(':')}:"$PATH"`, ...lines].join('\n'),
  );
}
