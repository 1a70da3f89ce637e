import { DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { lockInstance } from '../../instance/lock.ts';

const DONE = {
  stop: 'is stopped',
  start: 'runs again',
  cut: 'is cut off',
  mend: 'is connected again',
} as const;
type Deed = keyof typeof DONE;

/** One deed to one node. */
export const runDeed =
  (deed: Deed) =>
  async (context: CommandContext, node: string): Promise<void> => {
    const engine = await engineOf(context);
    const { nodes } = engine;
    if (nodes === undefined) {
      throw new DelosError('ERR_USAGE', `the nodes of the engine ${engine.kind} are not ours to ${deed}`, {
        hint: 'this works with cluster.engine: embedded',
      });
    }
    const unlock = await lockInstance(context.paths, `cluster node ${deed}`);
    try {
      await nodes[deed](node, context.progress);
    } finally {
      unlock();
    }
    context.result({ node, deed }, `${node} ${DONE[deed]}.`);
  };
