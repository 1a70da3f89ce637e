import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '@delos/host';
import { z } from 'zod';
import type { LocalInputs } from './settings.ts';

/** What the stack knows of a cluster that is up. */
export interface LocalFacts {
  readonly cluster: string;
  readonly context: string;
  readonly kubeconfig: string;
  readonly server: string;
}

const DELOS = resolve(dirname(fileURLToPath(import.meta.url)), '../../../delos');
const upDocument = z.object({ server: z.string(), kubeconfig: z.string(), context: z.string() });

export interface CommandRun {
  readonly signal: AbortSignal;
  readonly tell: (line: string) => void;
}

/** `delos ARGS` for an instance. stdout. @throws Error with its words */
async function delos(instance: string, args: readonly string[], { signal, tell }: CommandRun): Promise<string> {
  // KUBECONFIG names a cluster of somebody else.
  const { KUBECONFIG: _, ...env } = process.env;
  const { code, stdout, stderr } = await run(DELOS, [...args, '--json'], {
    env: { ...env, DELOS_INSTANCE: instance },
    signal,
    onLine: (line) => tell(line.replace(/^ *[\d.]+s */, '')),
  });
  if (code === 0) return stdout;
  throw new Error(`delos ${args.join(' ')}: exit code ${code}\n${stderr.split('\n').slice(-8).join('\n')}`);
}

/** Makes the cluster, or brings it up to date, or repairs it: one deed, which can be stopped and begun again at any moment. */
export async function makeCluster(inputs: LocalInputs, how: CommandRun): Promise<LocalFacts> {
  const { instance, config, nodes } = inputs;
  const options = [...(config === '' ? [] : ['--config', config]), ...(nodes === 0 ? [] : ['--nodes', String(nodes)])];
  const told = upDocument.parse(JSON.parse(await delos(instance, ['cluster', 'up', ...options], how)));
  return { cluster: instance, ...told, kubeconfig: await readFile(told.kubeconfig, 'utf8') };
}

/** Whether its nodes run. */
export async function isUp({ instance }: Pick<LocalInputs, 'instance'>, how: CommandRun): Promise<boolean> {
  return delos(instance, ['cluster', 'status'], how).then(
    () => true,
    () => false,
  );
}

export async function removeCluster({ instance, deleteData }: LocalInputs, how: CommandRun): Promise<void> {
  await delos(instance, ['cluster', 'down', ...(deleteData ? ['--delete-data'] : [])], how);
}
