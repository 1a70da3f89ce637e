import type { KubeClient } from '@delos/kube';
import { z } from 'zod';

/*
 * A node without a kubelet: Pods are bound to it and become what their label `puppet` says. The API server, its events
 * and all controllers are real; only what a container runtime would report is played.
 *   (none)      running and ready
 *   hold        stays pending until `release` is called
 *   pull-error  its image cannot be pulled
 */
export interface PuppetNode {
  /** Pods labelled `hold` become ready from now on, until `hold`. */
  release(): void;
  hold(): void;
  stop(): Promise<void>;
}

const NODE = 'puppet';
const pods = z.object({
  items: z.array(
    z.looseObject({
      metadata: z.looseObject({
        name: z.string(),
        namespace: z.string(),
        uid: z.string(),
        labels: z.record(z.string(), z.string()).default({}),
        deletionTimestamp: z.string().optional(),
      }),
      spec: z.looseObject({
        nodeName: z.string().optional(),
        containers: z.array(z.looseObject({ name: z.string() })),
      }),
      status: z.looseObject({
        phase: z.string().optional(),
        conditions: z.array(z.looseObject({ type: z.string(), status: z.string() })).default([]),
        containerStatuses: z.array(z.unknown()).default([]),
      }),
    }),
  ),
});
type Pod = z.infer<typeof pods>['items'][number];

export async function startPuppetNode(client: KubeClient): Promise<PuppetNode> {
  let held = true;
  let running = true;
  await client.request('POST', '/api/v1/nodes', {
    body: { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } },
  });
  const loop = (async () => {
    while (running) {
      try {
        const { items } = pods.parse(await client.request('GET', '/api/v1/pods'));
        for (const pod of items) await play(client, pod, held);
      } catch {
        // Objects come and go; what was missed is seen at the next turn.
      }
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
  })();
  return {
    release: () => {
      held = false;
    },
    hold: () => {
      held = true;
    },
    stop: async () => {
      running = false;
      await loop;
    },
  };
}

async function play(client: KubeClient, pod: Pod, held: boolean): Promise<void> {
  const path = `/api/v1/namespaces/${pod.metadata.namespace}/pods/${pod.metadata.name}`;
  if (pod.metadata.deletionTimestamp !== undefined) {
    await client.request('DELETE', path, { body: { gracePeriodSeconds: 0 } });
    return;
  }
  if (pod.spec.nodeName === undefined) {
    const target = { apiVersion: 'v1', kind: 'Node', name: NODE };
    const body = { apiVersion: 'v1', kind: 'Binding', metadata: { name: pod.metadata.name }, target };
    await client.request('POST', `${path}/binding`, { body });
  }
  if (pod.metadata.labels.puppet === 'pull-error') return failPull(client, pod, path);
  if (pod.metadata.labels.puppet === 'hold' && held) return;
  if (pod.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True')) return;
  const at = new Date().toISOString().replace(/\.\d+/, '');
  const conditions = ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: at,
  }));
  await setStatus(client, path, { phase: 'Running', podIP: '10.254.0.9', podIPs: [{ ip: '10.254.0.9' }], conditions });
}

async function failPull(client: KubeClient, pod: Pod, path: string): Promise<void> {
  if (pod.status.containerStatuses.length > 0) return;
  const { name, namespace, uid } = pod.metadata;
  const at = new Date().toISOString().replace(/\.\d+/, '');
  await client.request('POST', `/api/v1/namespaces/${namespace}/events`, {
    body: {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: `${name}.pull`, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Pod', name, namespace, uid },
      type: 'Warning',
      reason: 'Failed',
      message: 'Failed to pull image "nowhere.example/none:1": not found',
      lastTimestamp: at,
    },
  });
  const waiting = { reason: 'ImagePullBackOff', message: 'Back-off pulling image' };
  const containerStatuses = pod.spec.containers.map((container) => ({
    name: container.name,
    image: 'nowhere.example/none:1',
    imageID: '',
    ready: false,
    restartCount: 0,
    state: { waiting },
  }));
  await setStatus(client, path, { phase: 'Pending', containerStatuses });
}

async function setStatus(client: KubeClient, path: string, status: object): Promise<void> {
  await client.patch(`${path}/status`, { status });
}
