import type { CommandContext } from '../../context.ts';
import { type AuxVmOptions, inputOf, withMachine } from './machine.ts';

/** What `aux-vm up` would change on the machine as it is. */
export async function run(context: CommandContext, options: AuxVmOptions): Promise<void> {
  await withMachine(context, options, 'preview', async (config) => {
    const { previewAuxVm } = await import('@delos/stacks');
    const { steps } = await previewAuxVm(await inputOf(context, options, config));
    const changed = steps
      .filter(({ op, type }) => op !== 'same' && type.startsWith('delos-machine:'))
      .map(({ op, urn }) => ({ op, part: urn.split('::').at(-1) ?? '' }));
    context.result(
      { changed },
      changed.length === 0 ? 'Nothing would change.' : changed.map(({ op, part }) => `${op} ${part}`).join('\n'),
    );
  });
}
