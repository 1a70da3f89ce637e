import { DelosError, type Progress } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineFrom } from '../../instance/engine.ts';
import { lockInstance } from '../../instance/lock.ts';
import { readSettings, recordSettings } from '../../instance/settings.ts';
import { interruptible } from '../../interrupt.ts';

/** The cluster alone, started or repaired. */
export async function run(
  context: CommandContext,
  options: {
    readonly config?: string;
    readonly context?: string;
    readonly nodes?: number;
    readonly deleteData?: boolean;
  },
): Promise<void> {
  const settings = await readSettings(context, options.config);
  const engine = await engineFrom(context, settings.config, options.context);
  const unlock = await lockInstance(context.paths, 'cluster up');
  try {
    if (options.nodes !== undefined && engine.nodes === undefined) {
      throw new DelosError('ERR_USAGE', `--nodes: the nodes of the engine ${engine.kind} are not made here`, {
        hint: 'leave it out, or use cluster.engine: embedded',
      });
    }
    await recordSettings(context, settings, options.config, engine.kind);
    const started = performance.now();
    const { nodes, deleteData } = options;
    const up = (progress: Progress) => engine.up(settings.config, progress, { nodes, deleteData: deleteData ?? false });
    const handle = await interruptible(context.signal, up(context.progress));
    const seconds = (performance.now() - started) / 1000;
    context.result(
      { kind: handle.kind, server: handle.server, kubeconfig: handle.kubeconfig, context: handle.context, seconds },
      [
        `The ${handle.kind} cluster is up at ${handle.server} (${seconds.toFixed(1)} s).`,
        `  export KUBECONFIG=${handle.kubeconfig}`,
      ].join('\n'),
    );
  } finally {
    unlock();
  }
}
