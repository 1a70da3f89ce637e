import type { CommandContext } from '../context.ts';
import { engineOf } from '../engine.ts';
import { recordedConfig } from '../settings.ts';

/** `eval "$(delos env)"`. With --json the same variables as one object. */
export async function run(context: CommandContext): Promise<void> {
  const { envLines } = await import('@delos/stacks');
  const handle = await (await engineOf(context)).handle();
  const lines = await envLines({
    paths: context.paths,
    root: context.root,
    handle,
    config: await recordedConfig(context),
  });
  context.result(lines.variables, lines.text);
}
