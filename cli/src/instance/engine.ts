import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { ClusterEngine, ClusterStatus, EngineOptions } from '@delos/cluster';
import { DelosError, type PlatformConfig } from '@delos/core';
import type { CommandContext } from '../context.ts';
import { interruptible } from '../interrupt.ts';
import { recordedConfig } from './settings.ts';

export interface ClusterChoice {
  readonly config: PlatformConfig;
  readonly options: EngineOptions;
}

/** The kubeconfig of the existing cluster that an instance was brought up on, kept with its state. */
const keptKubeconfig = (context: CommandContext): string => join(context.paths.state, 'cluster', 'kubeconfig');

/**
 * How a command line chooses a cluster: by --context, KUBECONFIG and the configuration. An instance that was brought up
 * on an existing cluster stays there without being told again.
 */
export async function chooseCluster(
  context: CommandContext,
  config: PlatformConfig,
  contextName: string | undefined,
): Promise<ClusterChoice> {
  const { paths } = context;
  const { KUBECONFIG = '' } = process.env;
  // `delos env` points KUBECONFIG at the instance's own file, which names no other cluster.
  const told = contextName !== undefined || (KUBECONFIG !== '' && relative(paths.state, KUBECONFIG).startsWith('..'));
  const may = config.cluster.engine === 'auto' || config.cluster.engine === 'existing';
  const recorded = (await recordedConfig(context)).cluster.engine;
  if (!told && may && recorded === 'existing' && existsSync(keptKubeconfig(context))) return onKept(context, config);
  return { config, options: optionsOf(context, contextName) };
}

function optionsOf(context: CommandContext, contextName: string | undefined): EngineOptions {
  const { paths, yes } = context;
  return { paths, env: process.env, yes, ...(contextName === undefined ? {} : { context: contextName }) };
}

/** A person has named that cluster once, so its server need not be loopback. */
function onKept(context: CommandContext, config: PlatformConfig): ClusterChoice {
  const { context: _, ...cluster } = config.cluster;
  return {
    config: { ...config, cluster: { ...cluster, engine: 'existing' } },
    options: { paths: context.paths, env: { ...process.env, KUBECONFIG: keptKubeconfig(context) }, yes: true },
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

/** The engine that this instance was brought up with, whatever KUBECONFIG names. */
export async function engineOf(context: CommandContext): Promise<ClusterEngine> {
  const { engineFor } = await import('@delos/cluster');
  const config = await recordedConfig(context);
  const kept = config.cluster.engine === 'existing' && existsSync(keptKubeconfig(context));
  const choice = kept ? onKept(context, config) : { config, options: optionsOf(context, undefined) };
  return await engineFor(choice.config, choice.options);
}

/** The state of this instance's cluster. @throws DelosError ERR_NOT_UP */
export async function clusterStatus(context: CommandContext): Promise<ClusterStatus> {
  const status = await (await engineOf(context)).status();
  if (status !== undefined) return status;
  throw new DelosError('ERR_NOT_UP', `the cluster of instance ${context.paths.instance} is not up`, {
    hint: '`delos cluster up` starts it',
  });
}

/** Brings what the engine needs, and the tools that every deployment needs. */
export async function provideTools(
  { progress, signal }: CommandContext,
  engine: Pick<ClusterEngine, 'prepare'>,
): Promise<void> {
  const { resolveTool } = await import('@delos/cluster');
  await interruptible(signal, engine.prepare(progress));
  for (const tool of ['kube', 'pulumi'] as const) await interruptible(signal, resolveTool(tool, progress));
}
