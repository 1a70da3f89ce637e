import type { CommandContext } from '../../context.ts';
import { type AuxVmOptions, withMachine } from './machine.ts';
import { shown } from './shown.ts';

/** How the machine is used. Asks nobody. */
export async function run(
  context: CommandContext,
  options: AuxVmOptions & { readonly showPassword: boolean },
): Promise<void> {
  await withMachine(context, options, 'show', async (config) => {
    const { auxVmAccess } = await import('@delos/stacks');
    const vm = await auxVmAccess(context.paths, config);
    const password = options.showPassword ? { password: vm.password } : {};
    context.result(
      { outputs: vm.outputs, authoritiesFile: vm.authoritiesFile, ...password },
      options.showPassword ? `${shown(vm)}\nPassword of ${vm.outputs.user}: ${vm.password}` : shown(vm),
    );
  });
}
