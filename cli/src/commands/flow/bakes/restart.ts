import { DelosError } from '@delos/core';
import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { follow } from './follow.ts';
import { allOf } from './frame.ts';
import { bakeNamed, type FlowPlace, restartBake } from './questions.ts';

export interface RestartOptions extends PlatformOptions, FlowPlace {
  readonly all: boolean;
  readonly fromTask?: string;
  readonly detach: boolean;
}

/** Carries a bake out once more: what had not succeeded; all of it; or one task and all that follows from it. */
export async function run(context: CommandContext, bake: string, options: RestartOptions): Promise<void> {
  const { all, fromTask } = options;
  if (all && fromTask !== undefined) throw new DelosError('ERR_USAGE', 'say --all or --from-task, not both');
  const from =
    fromTask === undefined
      ? ({ from: all ? 'start' : 'failed' } as const)
      : ({ from: 'task', task: fromTask } as const);
  await withPlatform(context, options, async (client) => {
    const made = await restartBake(client, await bakeNamed(client, bake, options), from);
    const kept = made.carried_over.length;
    if (options.detach) {
      context.result(made, `attempt ${made.number} of ${made.id} is carried out by ${made.job}; ${kept} tasks stay`);
      return;
    }
    if (!context.json) process.stderr.write(`${made.id}, attempt ${made.number}: ${kept} tasks stay as they are\n`);
    const report = await follow(context, client, made.id, made.number);
    context.result(report, allOf(report).join('\n'));
  });
}
