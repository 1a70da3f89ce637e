import { setTimeout as sleep } from 'node:timers/promises';
import { type JobUsage, quantityOr0 } from '@delos/core';
import { isKubeError, type KubeClient, KubeError } from '@delos/kube';
import WebSocket from 'ws';
import { z } from 'zod';
import { endSocket } from '../../relay.ts';
import { CONTAINER } from '../container-name.ts';
import type { Pod } from './pod-shape.ts';

/** PodMetrics of metrics.k8s.io/v1beta1. */
const podMetrics = z.object({
  timestamp: z.iso.datetime({ offset: true }),
  containers: z.array(z.object({ name: z.string(), usage: z.object({ cpu: z.string(), memory: z.string() }) })),
});

/** metrics-server measures every 15 s by default. */
const POLL_MS = 5_000;

/**
 * What a Pod's container uses, as metrics-server measured it last; undefined where it has not been measured yet.
 * @throws KubeError 501 where the cluster measures nothing
 */
export async function tryUsage(client: KubeClient, pod: Pod): Promise<JobUsage | undefined> {
  const { namespace = '', name } = pod.metadata;
  try {
    return readUsage(await client.get(`/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods/${name}`));
  } catch (error) {
    if (!isKubeError(error, 404)) throw error;
    // Of a Pod that is not measured yet the message tells its name.
    if (error.message.includes(name)) return undefined;
    throw new KubeError(501, 'this cluster has no metrics-server: the use of resources is not measured');
  }
}

/** @throws ZodError for an object that is no PodMetrics */
export function readUsage(object: unknown): JobUsage | undefined {
  const { timestamp, containers } = podMetrics.parse(object);
  const usage = containers.find(({ name }) => name === CONTAINER)?.usage;
  if (usage === undefined) return undefined;
  return {
    cpu: quantityOr0(usage.cpu),
    memory_bytes: Math.round(quantityOr0(usage.memory)),
    timestamp: Date.parse(timestamp) / 1000,
  };
}

/** Sends each new measurement, until the container ends or nobody reads. */
export async function streamUsage(
  back: WebSocket,
  client: KubeClient,
  running: () => Pod | undefined,
  first: JobUsage | undefined,
): Promise<void> {
  back.on('error', () => back.terminate());
  back.resume();
  let last: number | undefined;
  let usage = first;
  while (back.readyState === WebSocket.OPEN) {
    if (usage !== undefined && usage.timestamp !== last) {
      last = usage.timestamp;
      back.send(JSON.stringify(usage));
    }
    await sleep(POLL_MS);
    const pod = running();
    if (pod === undefined) break;
    // One that failed is followed by the next.
    usage = await tryUsage(client, pod).catch(() => undefined);
  }
  endSocket(back);
}
