import { resolveTool } from '@delos/cluster';
import { envLines } from '@delos/stacks';
import type { CommandContext } from '../context.ts';
import { engineOf } from '../engine.ts';

/** `eval "$(delos env)"`. With --json the same variables as one object. */
export async function run(context: CommandContext): Promise<void> {
  const handle = await (await engineOf(context)).handle();
  const kube = await resolveTool('kube', context.progress);
  const pulumi = await resolveTool('pulumi', context.progress);
  const { variables, text } = await envLines({
    paths: context.paths,
    pulumi,
    handle,
    commands: { kubectl: kube.path },
  });
  context.result(variables, text);
}
