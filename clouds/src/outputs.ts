import type { DelosConfig } from '@delos/constructs';
import pulumi from '@pulumi/pulumi';
import type { MachinePool } from '../plan/pools.ts';
import { type CloudClass, classesFor } from '../plan/storage.ts';

/** What other stacks are told of a cluster. */
export interface ClusterOutputs {
  readonly cluster: pulumi.Output<string>;
  /** Name of the context in {@link kubeconfig}. */
  readonly context: string;
  /** How the cluster is asked. A secret. */
  readonly kubeconfig: pulumi.Output<string>;
  readonly server: pulumi.Output<string>;
  /** Pool → type of its machines. */
  readonly machines: Readonly<Record<string, string>>;
  /** StorageClasses that the platform makes on it. */
  readonly storageClasses: readonly string[];
}

export function outputsOf(
  made: Pick<ClusterOutputs, 'cluster' | 'context' | 'server'> & { readonly kubeconfig: pulumi.Input<string> },
  pools: readonly MachinePool[],
  platform: DelosConfig,
  own: CloudClass,
): ClusterOutputs {
  return {
    ...made,
    kubeconfig: pulumi.secret(made.kubeconfig),
    machines: Object.fromEntries(pools.map(({ name, type }) => [name, type])),
    storageClasses: classesFor(platform, own),
  };
}

/**
 * A kubeconfig whose user asks a program of the provider for a token, so that it holds none itself.
 * @see https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins
 */
export function kubeconfigBy(
  context: string,
  at: { readonly server: string; readonly authority: string },
  exec: { readonly command: string; readonly args: readonly string[] } & Readonly<Record<string, unknown>>,
): string {
  const document = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': context,
    clusters: [{ name: context, cluster: { server: at.server, 'certificate-authority-data': at.authority } }],
    users: [
      {
        name: context,
        user: { exec: { apiVersion: 'client.authentication.k8s.io/v1beta1', interactiveMode: 'Never', ...exec } },
      },
    ],
    contexts: [{ name: context, context: { cluster: context, user: context } }],
  };
  return `${JSON.stringify(document, null, 1)}\n`;
}
