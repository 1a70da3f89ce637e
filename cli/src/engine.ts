import type { ClusterEngine, EngineOptions } from '@delos/cluster';
import type { PlatformConfig } from '@delos/core';
import type { CommandContext } from './context.ts';
import { recordedConfig } from './settings.ts';

/** How a command line chooses a cluster. */
export function engineOptions(context: CommandContext, contextName: string | undefined): EngineOptions {
  return {
    paths: context.paths,
    env: process.env,
    yes: context.yes,
    ...(contextName === undefined ? {} : { context: contextName }),
  };
}

/** The engine that a configuration asks for. @throws DelosError ERR_CLUSTER_CONTEXT for a remote cluster not named */
export async function engineFrom(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<ClusterEngine> {
  const { engineFor } = await import('@delos/cluster');
  return await engineFor(config, engineOptions(context, contextName));
}

/** The engine that this instance was brought up with. */
export async function engineOf(context: CommandContext): Promise<ClusterEngine> {
  return await engineFrom(context, await recordedConfig(context), undefined);
}
