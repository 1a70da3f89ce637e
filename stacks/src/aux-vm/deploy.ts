import { resolve } from 'node:path';
import { DelosError, type InstancePaths, loadConfigBy, type Progress } from '@delos/core';
import { writeIfChanged } from '@delos/host';
import { auxVmHome, type PulumiHome } from '../driver/home.ts';
import { destroy, type PreviewResult, preview, type StackOptions, type UpdateResult, up } from '../driver/stack.ts';
import type { Part } from '../machine/part.ts';
import { type Address, Connection } from '../machine/ssh.ts';
import { dataOf, removeAll, removeOthers } from '../machine/sweep.ts';
import { type AuxVmConfig, auxVmConfig } from './config.ts';
import { type AuxVmOutputs, outputsOf } from './outputs.ts';
import { partsOf } from './parts.ts';
import { readPrograms } from './programs.ts';
import { type AuxVmSecrets, auxVmSecrets } from './secrets.ts';

/** The file of an auxiliary machine. @throws DelosError as loadConfigBy does */
export const loadAuxVm = (file: string): Promise<AuxVmConfig> =>
  loadConfigBy(auxVmConfig, file, 'docs/guides/aux-vm.md shows one; --config FILE names another');

/** How a machine is used, and by whom. */
export interface AuxVmAccess {
  readonly outputs: AuxVmOutputs;
  readonly password: string;
  /** File with the authorities. */
  readonly authoritiesFile: string;
}

/** What is known of a machine before it is asked anything. */
export interface AuxVm extends AuxVmAccess {
  readonly config: AuxVmConfig;
  readonly parts: readonly Part[];
}

/** How a machine is used that `aux-vm up` has made from here. */
export async function auxVmAccess(paths: InstancePaths, config: AuxVmConfig): Promise<AuxVmAccess> {
  return accessOf(await secretsOf(paths, config, true), config);
}

/**
 * @param programs folder of the programs
 * @param keep whether secrets that are made are kept
 */
export async function planAuxVm(
  paths: InstancePaths,
  config: AuxVmConfig,
  programs: string,
  keep = true,
): Promise<AuxVm> {
  const known = await secretsOf(paths, config, keep);
  return { config, parts: partsOf(config, known.secrets, await readPrograms(programs)), ...accessOf(known, config) };
}

interface Known {
  readonly secrets: AuxVmSecrets;
  readonly authoritiesFile: string;
}

async function secretsOf(paths: InstancePaths, config: AuxVmConfig, keep: boolean): Promise<Known> {
  const folder = resolve(auxVmHome(paths).root, '..');
  const secrets = await auxVmSecrets(config, folder, new Date(), keep);
  const authoritiesFile = resolve(folder, 'ca.pem');
  if (keep && secrets.authorities !== '') writeIfChanged(authoritiesFile, secrets.authorities, 0o644);
  return { secrets, authoritiesFile };
}

const accessOf = ({ secrets, authoritiesFile }: Known, config: AuxVmConfig): AuxVmAccess => ({
  outputs: outputsOf(config, secrets.authorities),
  password: secrets.password,
  authoritiesFile,
});

export interface AuxVmInput {
  readonly paths: InstancePaths;
  readonly pulumi: { readonly path: string };
  readonly progress: Progress;
  readonly signal: AbortSignal;
  readonly configFile: string;
  readonly config: AuxVmConfig;
  readonly programs: string;
}

/** Makes the machine as its file says. @throws DelosError ERR_DEPLOY with the machine's own words */
export async function deployAuxVm(input: AuxVmInput): Promise<UpdateResult & { readonly vm: AuxVm }> {
  const vm = await planAuxVm(input.paths, input.config, input.programs);
  const result = await up(await stackOf(input, vm));
  // What a run that was cut off made and nothing asks for any more.
  await withConnection(input, (connection) =>
    removeOthers(
      connection,
      vm.parts.map(({ name }) => name),
      input.signal,
    ),
  );
  return { ...result, vm };
}

/** What {@link deployAuxVm} would do. Changes nothing. */
export async function previewAuxVm(input: AuxVmInput): Promise<PreviewResult> {
  const vm = await planAuxVm(input.paths, input.config, input.programs, false);
  return preview(await stackOf(input, vm));
}

/** Takes everything from the machine that was made there; its data stays unless told. */
export async function destroyAuxVm(
  input: Omit<AuxVmInput, 'programs'>,
  { deleteData }: { readonly deleteData: boolean },
): Promise<UpdateResult> {
  const data = deleteData ? await withConnection(input, (connection) => dataOf(connection, input.signal)) : [];
  const result = await destroy(optionsOf(input, async () => undefined));
  await withConnection(input, (connection) => removeAll(connection, data, input.signal));
  return result;
}

async function withConnection<T>(
  { config }: Pick<AuxVmInput, 'config'>,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = new Connection(addressOf(config));
  try {
    return await use(connection);
  } catch (error) {
    throw new DelosError('ERR_DEPLOY', error instanceof Error ? error.message : String(error), {
      hint: 'when the cause is removed, the same command goes on',
      cause: error,
    });
  } finally {
    connection.close();
  }
}

/** @throws DelosError ERR_CONFIG_VALUE where the file says nothing of ssh */
export function addressOf({ ssh, address }: AuxVmConfig): Address {
  if (ssh !== undefined) return { ...ssh, host: ssh.host ?? address };
  throw new DelosError('ERR_CONFIG_VALUE', 'there is no `ssh` in it: expected how the machine is reached', {
    where: { field: 'ssh' },
    hint: 'add `ssh`, or set the machine up by `delos aux-vm cloud-init`',
  });
}

async function stackOf(input: AuxVmInput, { parts, outputs }: AuxVm): Promise<StackOptions> {
  const at = addressOf(input.config);
  return optionsOf(input, async () => {
    const { auxVmProgram } = await import('./program.ts');
    auxVmProgram(at, parts);
    return { ...outputs };
  });
}

const optionsOf = (
  {
    paths,
    pulumi,
    progress,
    signal,
    configFile,
    ...rest
  }: Omit<AuxVmInput, 'programs'> & { readonly programs?: string },
  program: StackOptions['program'],
): StackOptions => ({
  paths,
  pulumi,
  home: auxVmHome(paths),
  config: {
    auxVm: resolve(configFile),
    ...(rest.programs === undefined ? {} : { auxVmPrograms: resolve(rest.programs) }),
    auxVmInstance: paths.instance,
  },
  progress,
  signal,
  program,
});

export type { PulumiHome };
