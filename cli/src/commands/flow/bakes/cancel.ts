import type { CommandContext } from '../../../context.ts';
import { type PlatformOptions, withPlatform } from './access.ts';
import { bakeNamed, cancelBake, type FlowPlace } from './questions.ts';

/** Cancels a bake. One that has ended stays as it ended: exit code 1. */
export async function run(context: CommandContext, bake: string, options: PlatformOptions & FlowPlace): Promise<void> {
  await withPlatform(context, options, async (client) => {
    const id = await bakeNamed(client, bake, options);
    const result = await cancelBake(client, id);
    if (result !== 'cancelled') process.exitCode = 1;
    context.result({ id, result }, result === 'cancelled' ? `${id} is cancelled` : `${id} had ended: ${result}`);
  });
}
