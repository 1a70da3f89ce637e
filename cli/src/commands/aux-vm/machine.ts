import type { AuxVmConfig, AuxVmInput } from '@delos/stacks';
import type { CommandContext } from '../../context.ts';
import { lockInstance } from '../../instance/lock.ts';
import { interruptible } from '../../interrupt.ts';
import type { TrustOptions } from '../bundle/opened.ts';
import { providePrograms } from './provide-programs.ts';

export interface AuxVmOptions {
  readonly config: string;
}

/** Of commands that may make the machine from a bundle. */
export interface AuxVmUpOptions extends AuxVmOptions, TrustOptions {
  readonly bundle?: string;
}

/** Runs a command on the auxiliary machine of this instance, as the only one that changes it. */
export async function withMachine<T>(
  context: CommandContext,
  { config: file }: AuxVmOptions,
  command: string,
  use: (config: AuxVmConfig) => Promise<T>,
): Promise<T> {
  const { auxVmHome, loadAuxVm } = await import('@delos/stacks');
  const config = await loadAuxVm(file);
  const unlock = await lockInstance({ ...context.paths, state: auxVmHome(context.paths).root }, `aux-vm ${command}`);
  try {
    return await use(config);
  } finally {
    unlock();
  }
}

/** The folder of programs: the one that the file names, else one that is made on this machine, of a bundle where there is one. */
export const programsOf = async (
  context: CommandContext,
  { programs }: AuxVmConfig,
  wheels?: string,
): Promise<string> => programs ?? (await interruptible(context.signal, providePrograms(context, wheels)));

/** All that the stack needs. */
export async function inputOf(
  context: CommandContext,
  options: AuxVmUpOptions,
  config: AuxVmConfig,
): Promise<AuxVmInput> {
  const { resolveTool } = await import('@delos/cluster');
  const { paths, progress, signal } = context;
  const { config: configFile, bundle } = options;
  const wheels =
    bundle === undefined ? undefined : await (await import('./from-bundle.ts')).fromBundle(context, bundle, options);
  const pulumi = await resolveTool('pulumi', progress);
  return { paths, progress, signal, configFile, config, pulumi, programs: await programsOf(context, config, wheels) };
}
