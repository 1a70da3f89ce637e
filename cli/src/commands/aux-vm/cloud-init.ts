import type { CommandContext } from '../../context.ts';
import { type AuxVmOptions, programsOf, withMachine } from './machine.ts';

/** Prints user data by which a new machine makes itself what `aux-vm up` would make it. It holds secrets. */
export async function run(
  context: CommandContext,
  options: AuxVmOptions & { readonly archive: string; readonly sha256: string },
): Promise<void> {
  await withMachine(context, options, 'cloud-init', async (config) => {
    const { planAuxVm, userData } = await import('@delos/stacks');
    const { parts } = await planAuxVm(context.paths, config, await programsOf(context, config));
    const text = userData(parts, { from: options.archive, sha256: options.sha256 });
    context.result({ userData: text }, text);
  });
}
