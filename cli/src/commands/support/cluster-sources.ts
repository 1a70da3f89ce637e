import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/constructs';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import type { Source } from './bounds.ts';
import { withoutPrivate } from './objects.ts';

/** Kinds of the platform's own namespaces that are taken whole, but for what {@link withoutPrivate} takes out. */
const KINDS = [
  'pods',
  'deployments',
  'statefulsets',
  'daemonsets',
  'services',
  'endpointslices',
  'configmaps',
  'secrets',
  'persistentvolumeclaims',
  'networkpolicies',
  'poddisruptionbudgets',
  'serviceaccounts',
  'roles',
  'rolebindings',
] as const;
/** Kinds without a namespace. */
const CLUSTER_KINDS = ['nodes', 'namespaces', 'persistentvolumes', 'storageclasses', 'priorityclasses'] as const;

/** Lines of a container's log that are asked for. */
const LOG_LINES = 20_000;
/** Most containers whose logs are taken. */
const MOST_CONTAINERS = 200;

const list = z.object({ items: z.array(z.record(z.string(), z.unknown())) });
const statuses = z.array(z.object({ name: z.string(), restartCount: z.number().default(0) })).default([]);
const podList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      spec: z.object({ nodeName: z.string().default('') }).prefault({}),
      status: z.looseObject({
        phase: z.string().default(''),
        reason: z.string().optional(),
        message: z.string().optional(),
        containerStatuses: statuses,
        initContainerStatuses: statuses,
      }),
    }),
  ),
});

const OWN = [PLATFORM_NAMESPACE, NODE_NAMESPACE] as const;

/**
 * What a cluster shows: its own objects, the platform's, and the platform's logs. Of Pods of others, and so of jobs, there
 * is where they are and how they fare, and nothing of what they run.
 */
export async function* clusterSources(kube: Kube): AsyncGenerator<Source> {
  const objects = (path: string, args: readonly string[]): Source => ({
    path: `cluster/${path}.json`,
    read: async () => {
      const { items } = await kube.json(list, ['get', ...args]);
      return JSON.stringify(items.map(withoutPrivate), undefined, 2);
    },
  });
  for (const kind of CLUSTER_KINDS) yield objects(kind, [kind]);
  for (const namespace of OWN) {
    for (const kind of KINDS) yield objects(`${namespace}/${kind}`, [kind, '-n', namespace]);
  }
  yield { path: 'cluster/pods.json', read: async () => JSON.stringify(await podsOfAll(kube), undefined, 2) };
  yield { path: 'cluster/events.txt', read: () => kube.text(['get', 'events', '-A', '--sort-by=.lastTimestamp']) };
  yield { path: 'cluster/version.json', read: () => kube.text(['version', '-o', 'json']) };

  const containers: {
    readonly pod: string;
    readonly namespace: string;
    readonly name: string;
    readonly again: boolean;
  }[] = [];
  for (const namespace of OWN) {
    const { items } = await kube.json(podList, ['get', 'pods', '-n', namespace]);
    for (const { metadata, status } of items) {
      for (const { name, restartCount } of [...status.initContainerStatuses, ...status.containerStatuses]) {
        containers.push({ pod: metadata.name, namespace, name, again: restartCount > 0 });
      }
    }
  }
  for (const [index, { pod, namespace, name, again }] of containers.entries()) {
    for (const previous of again ? [false, true] : [false]) {
      yield {
        path: `logs/${namespace}/${pod}/${name}${previous ? '.previous' : ''}.log`,
        read: () => {
          if (index >= MOST_CONTAINERS) throw new Error(`logs of ${MOST_CONTAINERS} containers are taken at most`);
          const args = ['logs', pod, '-n', namespace, '-c', name, '--tail', String(LOG_LINES), '--timestamps'];
          return kube.text(previous ? [...args, '--previous'] : args);
        },
      };
    }
  }
}

async function podsOfAll(kube: Kube): Promise<readonly unknown[]> {
  const { items } = await kube.json(podList, ['get', 'pods', '-A']);
  return items.map(({ metadata, spec, status }) => ({
    namespace: metadata.namespace,
    name: metadata.name,
    node: spec.nodeName,
    phase: status.phase,
    reason: status.reason,
    message: status.message,
    restarts: status.containerStatuses.map(({ name, restartCount }) => ({ name, restartCount })),
  }));
}
