import type { CommandContext } from '../../context.ts';
import { type AuxVmOptions, withMachine } from './machine.ts';

/** Takes from the machine what was made there. Data, and what this stack keeps of secrets, stays unless told. */
export async function run(
  context: CommandContext,
  options: AuxVmOptions & { readonly deleteData: boolean },
): Promise<void> {
  await withMachine(context, options, 'destroy', async (config) => {
    const { resolveTool } = await import('@delos/cluster');
    const { destroyAuxVm } = await import('@delos/stacks');
    const { paths, progress, signal } = context;
    const pulumi = await resolveTool('pulumi', progress);
    const input = { paths, progress, signal, pulumi, config, configFile: options.config };
    const { changes } = await destroyAuxVm(input, { deleteData: options.deleteData });
    const data = options.deleteData ? 'Its data is deleted.' : 'Its data is kept: `aux-vm up` finds it again.';
    context.result({ changes, deletedData: options.deleteData }, `The machine has nothing of Delos any more. ${data}`);
  });
}
