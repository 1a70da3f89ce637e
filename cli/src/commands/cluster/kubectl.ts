import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { passThrough } from '../../process.ts';

/** kubectl on this instance's cluster; streams and exit code are kubectl's own. */
export async function run(context: CommandContext, args: readonly string[]): Promise<void> {
  const { resolveTool } = await import('@delos/cluster');
  const handle = await (await engineOf(context)).handle();
  const kube = await resolveTool('kube', context.progress);
  process.exitCode = await passThrough(kube.path, ['kubectl', ...args], { KUBECONFIG: handle.kubeconfig });
}
