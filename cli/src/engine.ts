import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { ClusterEngine, EngineOptions } from '@delos/cluster';
import type { PlatformConfig } from '@delos/core';
import type { CommandContext } from './context.ts';
import { recordedConfig } from './settings.ts';

export interface ClusterChoice {
  readonly config: PlatformConfig;
  readonly options: EngineOptions;
}

/**
 * How a command line chooses a cluster: by --context, KUBECONFIG and the configuration. An instance that was brought up
 * on an existing cluster stays there without being told again: its kubeconfig is kept with its state.
 */
export async function chooseCluster(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<ClusterChoice> {
  const { paths, yes } = context;
  const options: EngineOptions = {
    paths,
    env: process.env,
    yes,
    ...(contextName === undefined ? {} : { context: contextName }),
  };
  const kept = join(paths.state, 'cluster', 'kubeconfig');
  const { KUBECONFIG = '' } = process.env;
  // `delos env` points KUBECONFIG into the state: that names no other cluster.
  const told = contextName !== undefined || (KUBECONFIG !== '' && relative(paths.state, KUBECONFIG).startsWith('..'));
  const recorded = (await recordedConfig(context)).cluster;
  const may = config.cluster.engine === 'auto' || config.cluster.engine === 'existing';
  if (told || !may || recorded.engine !== 'existing' || !existsSync(kept)) return { config, options };
  return {
    config: { ...config, cluster: { ...config.cluster, engine: 'existing' } },
    options: { ...options, env: { ...process.env, KUBECONFIG: kept }, yes: true },
  };
}

/** The engine that a configuration asks for. @throws DelosError ERR_CLUSTER_CONTEXT for a remote cluster not named */
export async function engineFrom(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<ClusterEngine> {
  const { engineFor } = await import('@delos/cluster');
  const choice = await chooseCluster(context, config, contextName);
  return await engineFor(choice.config, choice.options);
}

/** The engine that this instance was brought up with. */
export async function engineOf(context: CommandContext): Promise<ClusterEngine> {
  return await engineFrom(context, await recordedConfig(context), undefined);
}
