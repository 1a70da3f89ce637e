import { resolveTool } from '@delos/cluster';
import { envLines } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { recordedConfig } from '../../instance/settings.ts';
import { apoloVariables } from './apolo-env.ts';

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
  const own: Readonly<Record<string, string>> = {
    DELOS_INSTANCE: context.paths.instance,
    ...(await apoloVariables(context, await recordedConfig(context))),
  };
  const lines = Object.entries(own).map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'`);
  context.result({ ...variables, ...own }, [text, ...lines].join('\n'));
}
