import type { CommandContext } from '../../context.ts';
import { engineFrom } from '../../instance/engine.ts';
import { expectedImages } from '../../instance/images.ts';
import { lockInstance } from '../../instance/lock.ts';
import { planPlatform } from '../../instance/platform.ts';
import { readSettings } from '../../instance/settings.ts';
import { table } from '../../table.ts';

/** What `up` would change on the cluster as it is, object by object. */
export async function run(
  context: CommandContext,
  options: { readonly config?: string; readonly context?: string },
): Promise<void> {
  const settings = await readSettings(context, options.config);
  const engine = await engineFrom(context, settings.config, options.context);
  const unlock = await lockInstance(context.paths, 'preview');
  try {
    const { previewPlatform } = await import('@delos/stacks');
    const handle = await engine.handle();
    const images = await expectedImages(context, settings.config, handle);
    const plan = await planPlatform(context, settings, handle, images);
    const { changeSummary, steps } = await previewPlatform(plan.input);
    const changed = steps.filter(({ op }) => op !== 'same');
    const counts = Object.entries(changeSummary).map(([op, count]) => `${count} ${op}`);
    context.result(
      { changeSummary, steps },
      [
        changed.length === 0
          ? 'Nothing would change.'
          : table(
              ['OPERATION', 'OBJECT'],
              changed.map(({ op, urn }) => [op, urn.split('::').slice(2).join(' ')]),
            ),
        counts.join(', '),
      ].join('\n'),
    );
  } finally {
    unlock();
  }
}
