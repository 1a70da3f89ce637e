import { resolveTool } from '@delos/cluster';
import { localLines } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';

/** `eval "$(delos cluster env)"`: plain `pulumi` in the folder stacks/local then means the stack of this instance's cluster. */
export async function run(context: CommandContext): Promise<void> {
  const pulumi = await resolveTool('pulumi', context.progress);
  const { variables, text } = await localLines({ paths: context.paths, pulumi });
  context.result(variables, text);
}
