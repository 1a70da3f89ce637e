import type { RequestOptions } from 'node:https';
import { DelosError } from '@delos/core';
import type { KubeConfig } from '@kubernetes/client-node';
import type { KubeAccess, KubeCredentials } from './access.ts';

/** A kubeconfig and the context in it; the official Pulumi provider's inputs of the same names. */
export interface KubeconfigChoice {
  /** Its path or its text. @default KUBECONFIG, ~/.kube/config, or the Pod's own account */
  readonly kubeconfig?: string;
  /** @default the current one */
  readonly context?: string;
}

/**
 * Any kubeconfig, by the official client library: exec plugins, auth providers and proxies too.
 * @throws DelosError ERR_CLUSTER_UNREACHABLE when the kubeconfig cannot be read or has no such context
 */
export async function libraryAccess(choice: KubeconfigChoice): Promise<KubeAccess> {
  // The package's root loads every generated API class; this file alone is needed, and it is not quick either.
  const { KubeConfig: Library } = await import('@kubernetes/client-node/dist/config.js');
  const config = new Library();
  load(config, choice.kubeconfig);
  if (choice.context !== undefined && choice.context !== '') {
    if (config.getContextObject(choice.context) === null) {
      const names = config.getContexts().map(({ name }) => name);
      throw new DelosError('ERR_CLUSTER_UNREACHABLE', `the kubeconfig has no context ${choice.context}`, {
        hint: `it has: ${names.join(', ') || 'none'}`,
      });
    }
    config.setCurrentContext(choice.context);
  }
  return accessOf(config);
}

/** A kubeconfig that is read already. */
export function accessOf(config: KubeConfig): KubeAccess {
  const cluster = config.getCurrentCluster();
  return {
    server: (cluster?.server ?? '').replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace ?? 'default',
    async credentials() {
      const options: RequestOptions = {};
      await config.applyToHTTPSOptions(options);
      const { agent, headers, ca, cert, key, servername, rejectUnauthorized } = options;
      const proxied = cluster?.proxyUrl !== undefined && typeof agent === 'object';
      return {
        headers: Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)])),
        ...(ca === undefined ? {} : { ca: ca as Buffer }),
        ...(cert === undefined ? {} : { cert: cert as Buffer }),
        ...(key === undefined ? {} : { key: key as Buffer }),
        ...(servername === undefined ? {} : { servername }),
        ...(rejectUnauthorized === undefined ? {} : { rejectUnauthorized }),
        ...(proxied ? { agent } : {}),
      } satisfies KubeCredentials;
    },
  };
}

function load(config: KubeConfig, given: string | undefined): void {
  try {
    if (given === undefined || given === '') config.loadFromDefault();
    else if (isText(given)) config.loadFromString(given);
    else config.loadFromFile(given);
  } catch (cause) {
    throw new DelosError('ERR_CLUSTER_UNREACHABLE', 'the kubeconfig cannot be read', {
      hint: 'check the path in KUBECONFIG',
      cause,
    });
  }
}

const isText = (given: string): boolean =>
  given.includes('\n') && /^\s*(\{|apiVersion|kind|clusters|contexts|users|preferences|current-context)/m.test(given);
