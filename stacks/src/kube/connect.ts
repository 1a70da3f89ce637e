import { DelosError } from '@delos/core';
import { KubeClient } from './client.ts';

/** How to reach a cluster; the official provider's own inputs of the same names. */
export interface Connection {
  /** A kubeconfig: its path or its text. Left out: KUBECONFIG, ~/.kube/config, or the Pod's own account. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** @throws DelosError ERR_CLUSTER_UNREACHABLE when the kubeconfig cannot be read or has no such context. */
export async function connect(connection: Connection): Promise<KubeClient> {
  // The package's root loads every generated API class; this file alone is what is needed, and it is not quick either.
  const { KubeConfig } = await import('@kubernetes/client-node/dist/config.js');
  const config = new KubeConfig();
  try {
    const given = connection.kubeconfig;
    if (given === undefined || given === '') config.loadFromDefault();
    else if (
      /^\s*(\{|apiVersion|kind|clusters|contexts|users|preferences|current-context)/m.test(given) &&
      given.includes('\n')
    ) {
      config.loadFromString(given);
    } else config.loadFromFile(given);
  } catch (error) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', 'the kubeconfig cannot be read', {
      hint: 'check the path in KUBECONFIG',
      cause: error,
    });
  }
  if (connection.context !== undefined && connection.context !== '') {
    if (config.getContextObject(connection.context) === null) {
      throw new DelosError('ERR_CLUSTER_UNREACHABLE', `the kubeconfig has no context ${connection.context}`, {
        hint: `it has: ${
          config
            .getContexts()
            .map((context) => context.name)
            .join(', ') || 'none'
        }`,
      });
    }
    config.setCurrentContext(connection.context);
  }
  return new KubeClient(config);
}
