import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PLATFORM_NAMESPACE } from '@delos/constructs';
import { DelosError } from '@delos/core';
import type { z } from 'zod';
import type { CommandContext } from '../../context.ts';
import { engineOf } from '../../instance/engine.ts';
import { kubeOf } from '../../instance/kube.ts';

const exec = promisify(execFile);
const MAX_BYTES = 64 * 2 ** 20;

/** For people. */
export const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`;

/**
 * Has the registry's own program run in its Pod, and reads the JSON that it prints: the cluster's access rules decide who may.
 * @throws DelosError ERR_NOT_UP with the program's words
 */
export async function askRegistry<T>(
  context: CommandContext,
  schema: z.ZodType<T>,
  words: readonly string[],
): Promise<T> {
  const kube = await kubeOf(context, await (await engineOf(context)).handle());
  const [kubectl, ...before] = kube.argv;
  const inside = ['exec', '--namespace', PLATFORM_NAMESPACE, 'statefulset/registry', '--container', 'registry'];
  try {
    const { stdout } = await exec(kubectl, [...before, ...inside, '--', 'image-registry', ...words], {
      env: { ...process.env, ...kube.env },
      maxBuffer: MAX_BYTES,
      signal: context.signal,
    });
    return schema.parse(JSON.parse(stdout));
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
    throw new DelosError('ERR_NOT_UP', `the registry of images cannot be asked: ${said.split('\n').at(-1) ?? ''}`, {
      hint: '`delos status` tells whether it runs; `services.registry` in delos.yaml whether there is one',
      cause,
    });
  }
}
