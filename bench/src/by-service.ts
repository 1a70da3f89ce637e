/**
 * What each service of the platform took to be ready, and what it takes: of its Pods, as the API server and the kubelet tell. Seconds from
 * the Pod's creation to its readiness, whole ones; processor time since its containers' start; memory that cannot be given back now.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NAME_LABEL, NODE_NAMESPACE, PLATFORM_NAMESPACE } from '@delos/core';
import { z } from 'zod';
import { delos } from './delos.ts';

/** The kubelet looks at what a container uses every ten seconds or so. */
const KUBELET_LOOKS = 25_000;

export interface ServiceCost {
  readonly name: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Bytes. */
  readonly memory: number;
}

const pods = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({
        name: z.string(),
        namespace: z.string(),
        creationTimestamp: z.string(),
        labels: z.record(z.string(), z.string()).default({}),
      }),
      status: z.looseObject({
        conditions: z
          .array(z.object({ type: z.string(), status: z.string(), lastTransitionTime: z.string() }))
          .default([]),
      }),
    }),
  ),
});
const summary = z.object({
  pods: z.array(
    z.looseObject({
      podRef: z.object({ name: z.string(), namespace: z.string() }),
      cpu: z.object({ usageCoreNanoSeconds: z.number().default(0) }).optional(),
      memory: z.object({ workingSetBytes: z.number().default(0) }).optional(),
    }),
  ),
});

/** Of each service, its Pods together; the slowest first. */
export async function byService(env: Readonly<Record<string, string>>): Promise<readonly ServiceCost[]> {
  await sleep(KUBELET_LOOKS);
  const listed = pods.parse(JSON.parse(await delos(['kubectl', 'get', 'pods', '-A', '-o', 'json'], env)));
  const told = summary.parse(
    JSON.parse(await delos(['kubectl', 'get', '--raw', '/api/v1/nodes/node-1/proxy/stats/summary'], env)),
  );
  const usage = new Map(told.pods.map((pod) => [`${pod.podRef.namespace}/${pod.podRef.name}`, pod]));
  const costs = new Map<string, ServiceCost>();
  for (const { metadata, status } of listed.items) {
    if (![PLATFORM_NAMESPACE, NODE_NAMESPACE].includes(metadata.namespace)) continue;
    const name = metadata.labels[NAME_LABEL] ?? metadata.name;
    const ready = status.conditions.find(({ type, status: is }) => type === 'Ready' && is === 'True');
    if (ready === undefined) continue;
    const took = (Date.parse(ready.lastTransitionTime) - Date.parse(metadata.creationTimestamp)) / 1000;
    const used = usage.get(`${metadata.namespace}/${metadata.name}`);
    const before = costs.get(name) ?? { name, seconds: 0, cpuSeconds: 0, memory: 0 };
    costs.set(name, {
      name,
      seconds: Math.max(before.seconds, took),
      cpuSeconds: before.cpuSeconds + Math.round((used?.cpu?.usageCoreNanoSeconds ?? 0) / 1e8) / 10,
      memory: before.memory + (used?.memory?.workingSetBytes ?? 0),
    });
  }
  return [...costs.values()].toSorted((one, other) => other.seconds - one.seconds);
}

export const costLines = (costs: readonly ServiceCost[]): readonly string[] =>
  costs.map(
    ({ name, seconds, cpuSeconds, memory }) =>
      `  ${name.padEnd(18)} ${seconds.toFixed(0).padStart(4)} s  ${cpuSeconds.toFixed(1).padStart(6)} s of CPU  ${(memory / 2 ** 20).toFixed(0).padStart(5)} MiB`,
  );
