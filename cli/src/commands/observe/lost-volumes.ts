import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';
import type { StorageStatus } from './storage.ts';

const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      status: z
        .object({ conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]) })
        .prefault({}),
    }),
  ),
});
const requirement = z.object({ key: z.string(), operator: z.string(), values: z.array(z.string()).default([]) });
const volumeList = z.object({
  items: z.array(
    z.object({
      spec: z.object({
        capacity: z.record(z.string(), z.string()).default({}),
        claimRef: z.object({ namespace: z.string(), name: z.string() }).optional(),
        nodeAffinity: z
          .object({
            required: z.object({
              nodeSelectorTerms: z.array(z.object({ matchExpressions: z.array(requirement).default([]) })),
            }),
          })
          .optional(),
      }),
    }),
  ),
});
/** Nodes of a cluster, as far as it matters here. */
export type Nodes = z.infer<typeof nodeList>['items'];
/** Volumes of a cluster, as far as it matters here. */
export type ClusterVolumes = z.infer<typeof volumeList>['items'];

const HOST = 'kubernetes.io/hostname';

/** What lies on nodes that are lost, and nowhere else. @throws DelosError ERR_CLUSTER_UNREACHABLE */
export async function lostVolumes(kube: Kube): Promise<StorageStatus['complaints']> {
  const [nodes, volumes] = await Promise.all([
    kube.json(nodeList, ['get', 'nodes']),
    kube.json(volumeList, ['get', 'persistentvolumes']),
  ]);
  return volumesOfLostNodes(nodes.items, volumes.items);
}

/** Judges what a cluster shows: one complaint for each node that is not ready and has volumes. */
export function volumesOfLostNodes(nodes: Nodes, volumes: ClusterVolumes): StorageStatus['complaints'] {
  const ready = ({ status }: Nodes[number]): boolean =>
    status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
  return nodes
    .filter((node) => !ready(node))
    .flatMap(({ metadata }) => {
      const host = metadata.labels[HOST] ?? metadata.name;
      const lost = volumes.filter((volume) => isOnlyOn(volume, host)).map(nameOf);
      if (lost.length === 0) return [];
      return [
        {
          message: `${metadata.name} is not ready, and on it alone lie ${lost.sort().join(', ')}`,
          todo: 'bring the node back: they come back with it, and what needs them waits for it',
        },
      ];
    });
}

function isOnlyOn({ spec }: ClusterVolumes[number], host: string): boolean {
  const terms = spec.nodeAffinity?.required.nodeSelectorTerms ?? [];
  const isHost = ({ key, operator, values }: z.infer<typeof requirement>): boolean =>
    key === HOST && operator === 'In' && values.length === 1 && values[0] === host;
  return terms.length > 0 && terms.every(({ matchExpressions }) => matchExpressions.some(isHost));
}

function nameOf({ spec: { claimRef, capacity } }: ClusterVolumes[number]): string {
  const claim = claimRef === undefined ? 'a volume of no claim' : `${claimRef.namespace}/${claimRef.name}`;
  return capacity.storage === undefined ? claim : `${claim} (${capacity.storage})`;
}
