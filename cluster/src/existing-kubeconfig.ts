import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { DelosError } from '@delos/core';
import { KubeConfig } from '@kubernetes/client-node';
import type { EngineOptions } from './engine.ts';

export interface ChosenCluster {
  readonly kubeConfig: KubeConfig;
  readonly context: string;
  readonly server: string;
}

/** Whether the server is on this machine's loopback. Any other one must be named by the user. */
export function isLoopback(server: string): boolean {
  const host = new URL(server).hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/**
 * The context that KUBECONFIG (or ~/.kube/config) and the options choose.
 * @throws DelosError ERR_CLUSTER_UNREACHABLE for no kubeconfig, ERR_CLUSTER_CONTEXT for an unknown context or a remote
 * server that nobody named
 */
export function chooseCluster(wanted: string | undefined, options: EngineOptions): ChosenCluster {
  const kubeConfig = loadKubeconfig(options);
  const names = kubeConfig.getContexts().map((context) => context.name);
  const context = wanted ?? kubeConfig.getCurrentContext();
  if (!names.includes(context)) {
    throw new DelosError(
      'ERR_CLUSTER_CONTEXT',
      context === '' || context === undefined
        ? 'the kubeconfig has no current context'
        : `the kubeconfig has no context ${JSON.stringify(context)}`,
      { hint: `name one of its contexts with --context: ${names.join(', ') || '(it has none)'}` },
    );
  }
  kubeConfig.setCurrentContext(context);
  const server = kubeConfig.getCurrentCluster()?.server;
  if (server === undefined || !URL.canParse(server)) {
    throw new DelosError('ERR_CLUSTER_CONTEXT', `context ${context} names no cluster with a server`, {
      hint: 'look at it with: kubectl config view',
    });
  }
  if (!isLoopback(server) && wanted === undefined && options.yes !== true) {
    throw new DelosError('ERR_CLUSTER_CONTEXT', `context ${context} leads to ${server}, which is not this machine`, {
      hint: `if that is the cluster you mean, say so: --context ${context} (or --yes)`,
      data: { context, server },
    });
  }
  return { kubeConfig, context, server };
}

function loadKubeconfig({ env }: EngineOptions): KubeConfig {
  const variable = env.KUBECONFIG;
  const files =
    variable === undefined || variable === ''
      ? [join(env.HOME ?? homedir(), '.kube', 'config')]
      : variable.split(delimiter).filter((path) => path !== '');
  const present = files.filter((path) => existsSync(path));
  const [first, ...others] = present;
  if (first === undefined) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `no kubeconfig at ${files.join(', ')}`, {
      hint: 'set KUBECONFIG to the file of the cluster you mean, or use cluster.engine: embedded',
    });
  }
  try {
    const kubeConfig = new KubeConfig();
    kubeConfig.loadFromFile(first);
    for (const path of others) {
      const more = new KubeConfig();
      more.loadFromFile(path);
      kubeConfig.mergeConfig(more, true);
    }
    return kubeConfig;
  } catch (error) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', `${present.join(', ')}: ${(error as Error).message}`, {
      hint: 'KUBECONFIG has to name a kubeconfig file; look at it with: kubectl config view',
      cause: error,
    });
  }
}

/** The chosen context alone, as a kubeconfig that needs no other file to be told which one is meant. */
export function renderChosen({ kubeConfig, context }: ChosenCluster): string {
  const object = kubeConfig.getContextObject(context);
  const only = new KubeConfig();
  only.loadFromOptions({
    clusters: kubeConfig.getClusters().filter((cluster) => cluster.name === object?.cluster),
    users: kubeConfig.getUsers().filter((user) => user.name === object?.user),
    contexts: kubeConfig.getContexts().filter((each) => each.name === context),
    currentContext: context,
  });
  return only.exportConfig();
}
