import type { Manifest, SynthesizedObject } from '@delos/constructs';
import { type InstancePaths, silent } from '@delos/core';
import type { StackOptions } from '@delos/stacks';
import { ClusterProvider, register } from '@delos/stacks/program';

/** An object for a synthesis of one's own. */
export function object(manifest: Manifest, more: Partial<SynthesizedObject> = {}): SynthesizedObject {
  const { namespace = '', name } = manifest.metadata;
  return { id: `${manifest.kind}/${namespace}/${name}`, manifest, dependsOn: [], secrets: {}, ...more };
}

export const namespace = (name: string): SynthesizedObject =>
  object({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });

export const configMap = (namespace: string, name: string, data: Record<string, string>, more: object = {}) =>
  object({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, ...more }, data });

export interface DeploymentOptions {
  readonly replicas?: number;
  /** What the puppet node makes of its Pods. */
  readonly puppet?: string;
  readonly timeoutSeconds?: number;
  /** Value of the label that selects its Pods. */
  readonly app?: string;
}

export function deployment(namespace: string, name: string, options: DeploymentOptions = {}): SynthesizedObject {
  const { replicas = 1, puppet = 'ready', timeoutSeconds = 60, app = name } = options;
  const annotations = { 'pulumi.com/timeoutSeconds': String(timeoutSeconds) };
  return object({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, annotations },
    spec: {
      replicas,
      selector: { matchLabels: { app } },
      template: {
        metadata: { labels: { app, puppet } },
        spec: {
          // Forms the server keeps differently from how they are written.
          hostNetwork: false,
          volumes: [],
          containers: [
            {
              name: 'main',
              image: 'nowhere.example/none:1',
              resources: { limits: { memory: '2048Mi', cpu: '1000m' } },
            },
          ],
        },
      },
    },
  });
}

export interface TestStack {
  readonly paths: InstancePaths;
  readonly pulumi: { readonly path: string };
  readonly cluster: { readonly kubeconfig: string; readonly context: string };
}

/** Options of a stack of just these objects. */
export function stackOf(
  stack: TestStack,
  objects: readonly SynthesizedObject[],
  more: Partial<StackOptions> & { readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>> } = {},
): StackOptions {
  const { secrets = {}, ...options } = more;
  return {
    ...stack,
    config: {},
    progress: silent,
    signal: new AbortController().signal,
    program: async () => {
      const provider = new ClusterProvider('cluster', stack.cluster);
      register({ objects }, { provider, secrets: new Map(Object.entries(secrets)) });
    },
    ...options,
  };
}
