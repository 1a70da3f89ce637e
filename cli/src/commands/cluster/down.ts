import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { lockInstance } from '../../instance/lock.ts';

export async function run(context: CommandContext, options: { readonly deleteData: boolean }): Promise<void> {
  const unlock = await lockInstance(context.paths, 'cluster down');
  try {
    const engine = await engineOf(context);
    await engine.down({ deleteData: options.deleteData }, context.progress);
    context.result({ kind: engine.kind, deletedData: options.deleteData }, `The ${engine.kind} cluster is down.`);
  } finally {
    unlock();
  }
}
