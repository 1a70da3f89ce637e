import { NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/constructs';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

/** A service of the platform, as its workload tells. */
export interface PlatformPart {
  readonly name: string;
  readonly namespace: string;
  readonly ready: number;
  readonly wanted: number;
  /** The last thing a Pod of it complains about; empty when nothing is wrong. */
  readonly message: string;
}

const workloads = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: z.object({ name: z.string(), namespace: z.string() }),
      spec: z.object({ replicas: z.number().optional() }),
      status: z.looseObject({
        readyReplicas: z.number().default(0),
        numberReady: z.number().optional(),
        desiredNumberScheduled: z.number().optional(),
      }),
    }),
  ),
});

const pods = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ labels: z.record(z.string(), z.string()).default({}) }),
      status: z.object({
        containerStatuses: z
          .array(
            z.object({
              state: z.object({
                waiting: z.object({ reason: z.string().default(''), message: z.string().default('') }).optional(),
              }),
            }),
          )
          .default([]),
        conditions: z
          .array(z.object({ type: z.string(), status: z.string(), message: z.string().default('') }))
          .default([]),
      }),
    }),
  ),
});

/** All services of the platform; empty where it is not deployed. */
export async function platformParts(kube: Kube): Promise<readonly PlatformPart[]> {
  const found: PlatformPart[] = [];
  for (const namespace of [PLATFORM_NAMESPACE, NODE_NAMESPACE]) {
    const { items } = await kube.json(workloads, ['get', 'deployments,statefulsets,daemonsets', '-n', namespace]);
    const { items: all } = await kube.json(pods, ['get', 'pods', '-n', namespace]);
    for (const { metadata, spec, status } of items) {
      const own = all.filter((pod) => pod.metadata.labels['app.kubernetes.io/name'] === metadata.name);
      found.push({
        name: metadata.name,
        namespace,
        ready: status.numberReady ?? status.readyReplicas,
        wanted: status.desiredNumberScheduled ?? spec.replicas ?? 1,
        message: own.map(complaint).find((text) => text !== '') ?? '',
      });
    }
  }
  return found.toSorted((a, b) => a.name.localeCompare(b.name));
}

function complaint({ status }: z.infer<typeof pods>['items'][number]): string {
  const waiting = status.containerStatuses.flatMap(({ state }) => state.waiting ?? [])[0];
  if (waiting !== undefined) return [waiting.reason, waiting.message].filter((text) => text !== '').join(': ');
  return (
    status.conditions.find(({ type, status: value }) => type === 'PodScheduled' && value === 'False')?.message ?? ''
  );
}
