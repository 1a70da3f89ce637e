import { type ClusterRequest, clusterRequest, DelosError } from '@delos/core';
import type { CommandContext } from '../../context.ts';
import { askRuntime } from '../../instance/runtime-command.ts';

/** Asks the control API's Pod. @throws DelosError ERR_USAGE, ERR_NOT_UP, and what it answers */
export async function askClusters(context: CommandContext, wanted: ClusterRequest): Promise<unknown> {
  const parsed = clusterRequest.safeParse(wanted);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const what = issue?.path[0] === 'ttlSeconds' ? '--ttl' : '<name>';
    throw new DelosError('ERR_USAGE', `${what}: ${issue?.message ?? 'not accepted'}`, {
      hint: 'for example: delos clusters token hall-b --ttl 24h',
    });
  }
  return await askRuntime(context, {
    service: 'control-api',
    program: 'clusters',
    request: parsed.data,
    what: 'clusters',
  });
}
