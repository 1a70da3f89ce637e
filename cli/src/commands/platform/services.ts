import {
  type DelosConfig,
  NODE_NAMESPACE,
  ownServices,
  PLATFORM_NAMESPACE,
  type Route,
  SERVICES,
} from '@delos/constructs';
import { NAME_LABEL } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

/** A service of the platform, as its workload shows it. */
export interface ServiceStatus {
  readonly name: string;
  /** All of its Pods are ready. */
  readonly ready: boolean;
  /** Pods that are ready, and Pods that are wanted. */
  readonly pods: { readonly ready: number; readonly wanted: number };
  /** Where users reach it, for a service that the gateway has a route to. */
  readonly url?: string;
  /** The last complaint of one of its Pods. */
  readonly message?: string;
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

/**
 * Every service of the list that runs as ours, in its order; empty where the platform is not deployed.
 * @param url of the platform, no trailing slash
 */
export async function serviceStatuses(
  kube: Kube,
  config: DelosConfig,
  url: string | undefined,
): Promise<readonly ServiceStatus[]> {
  const found = new Map<string, ServiceStatus>();
  for (const namespace of [PLATFORM_NAMESPACE, NODE_NAMESPACE]) {
    const { items } = await kube.json(workloads, ['get', 'deployments,statefulsets,daemonsets', '-n', namespace]);
    const { items: all } = await kube.json(pods, ['get', 'pods', '-n', namespace]);
    for (const { metadata, spec, status } of items) {
      const own = all.filter((pod) => pod.metadata.labels[NAME_LABEL] === metadata.name);
      const ready = status.numberReady ?? status.readyReplicas;
      const wanted = status.desiredNumberScheduled ?? spec.replicas ?? 1;
      const message = own.map(complaint).find((text) => text !== '');
      found.set(metadata.name, {
        name: metadata.name,
        ready: ready >= wanted,
        pods: { ready, wanted },
        ...(message === undefined ? {} : { message }),
      });
    }
  }
  if (found.size === 0) return [];
  return ownServices(config, SERVICES).map(({ name, routes }) => ({
    ...(found.get(name) ?? {
      name,
      ready: false,
      pods: { ready: 0, wanted: 1 },
      message: 'not deployed: run `delos up`',
    }),
    ...(url === undefined ? {} : placeOf(url, routes)),
  }));
}

/** The first path of a service's routes, without its pattern. */
function placeOf(url: string, routes: readonly Route[] = []): { readonly url?: string } {
  const path = routes[0]?.paths[0];
  return path === undefined ? {} : { url: `${url}${path.replace(/\/\*$/, '')}` };
}

function complaint({ status }: z.infer<typeof pods>['items'][number]): string {
  const waiting = status.containerStatuses.flatMap(({ state }) => state.waiting ?? [])[0];
  if (waiting !== undefined) return [waiting.reason, waiting.message].filter((text) => text !== '').join(': ');
  return (
    status.conditions.find(({ type, status: value }) => type === 'PodScheduled' && value === 'False')?.message ?? ''
  );
}
