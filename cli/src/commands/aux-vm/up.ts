import type { CommandContext } from '../../context.ts';
import { type AuxVmUpOptions, inputOf, withMachine } from './machine.ts';
import { shown } from './shown.ts';

/** Makes the machine as its file says, and says how it is used. */
export async function run(context: CommandContext, options: AuxVmUpOptions): Promise<void> {
  await withMachine(context, options, 'up', async (config) => {
    const { deployAuxVm } = await import('@delos/stacks');
    const { vm, changes, steps } = await deployAuxVm(await inputOf(context, options, config));
    const changed = steps.filter(({ op, type }) => op !== 'same' && type.startsWith('delos-machine:'));
    const names = changed.map(({ op, urn }) => `${op} ${urn.split('::').at(-1)}`);
    context.result(
      { changes, changed: names, outputs: vm.outputs, authoritiesFile: vm.authoritiesFile },
      [names.length === 0 ? 'Nothing was to be done.' : `Done: ${names.join(', ')}.`, shown(vm)].join('\n\n'),
    );
  });
}
