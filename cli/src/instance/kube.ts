import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { ClusterHandle } from '@delos/cluster';
import { DelosError } from '@delos/core';
import type { z } from 'zod';
import type { CommandContext } from '../context.ts';

const exec = promisify(execFile);

/** kubectl on one cluster, for the few things that the command reads there. */
export interface Kube {
  /** Executable, arguments before the verb, and environment, for a caller that runs it on our own streams. */
  readonly argv: readonly [string, ...string[]];
  readonly env: Readonly<Record<string, string>>;
  /** For a client of the API of our own. */
  readonly cluster: Pick<ClusterHandle, 'kubeconfig' | 'context'>;
  /** @throws DelosError ERR_CLUSTER_UNREACHABLE with kubectl's own words */
  text(args: readonly string[]): Promise<string>;
  json<T>(schema: z.ZodType<T>, args: readonly string[]): Promise<T>;
}

export async function kubeOf(context: CommandContext, handle: ClusterHandle): Promise<Kube> {
  const { resolveTool } = await import('@delos/cluster');
  const { path } = await resolveTool('kube', context.progress);
  const argv = [path, 'kubectl', '--context', handle.context] as const;
  const env = { KUBECONFIG: handle.kubeconfig };
  const text = async (args: readonly string[]): Promise<string> => {
    try {
      const { stdout } = await exec(path, [...argv.slice(1), '--request-timeout=20s', ...args], {
        env: { ...process.env, ...env },
        maxBuffer: 256 * 2 ** 20,
        signal: context.signal,
      });
      return stdout;
    } catch (cause) {
      const words = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause);
      throw new DelosError('ERR_CLUSTER_UNREACHABLE', `kubectl ${args[0] ?? ''}: ${words.split('\n').at(-1) ?? ''}`, {
        hint: `asked of ${handle.server}; \`delos cluster status\` tells which part is not running`,
        cause,
      });
    }
  };
  return {
    cluster: { kubeconfig: handle.kubeconfig, context: handle.context },
    argv,
    env,
    text,
    json: async (schema, args) => schema.parse(JSON.parse(await text([...args, '-o', 'json']))),
  };
}
