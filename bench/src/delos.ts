import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';

const exec = promisify(execFile);
const ROOT = join(import.meta.dirname, '../..');

/** `./delos ARGS` on the instance that DELOS_INSTANCE names. @throws Error with its stderr */
export async function delos(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<string> {
  const { stdout } = await exec(join(ROOT, 'delos'), args, {
    env: { ...process.env, ...env },
    maxBuffer: 256 * 2 ** 20,
  });
  return stdout;
}

export async function delosJson<T>(schema: z.ZodType<T>, args: readonly string[]): Promise<T> {
  return schema.parse(JSON.parse(await delos([...args, '--json'])));
}

/** kubectl itself, without the command around it: its start belongs to the measurement as any user has it. */
export async function bareKubectl(
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly kubeconfig: string; readonly kubectl: readonly [string, ...string[]] }> {
  const { resolveTool } = await import('@delos/cluster');
  const { silent } = await import('@delos/core');
  const { kubeconfig } = z
    .looseObject({ kubeconfig: z.string() })
    .parse(JSON.parse(await delos(['cluster', 'kubeconfig', '--json'], env)));
  const { path } = await resolveTool('kube', silent);
  return { kubeconfig, kubectl: [path, 'kubectl', '--kubeconfig', kubeconfig] };
}

export const statusSchema = z.looseObject({
  up: z.boolean(),
  state: z.string(),
  platform: z.looseObject({ apiUrl: z.string().nullable(), adminUser: z.string() }),
});
