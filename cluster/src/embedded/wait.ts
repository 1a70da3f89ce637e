import { setTimeout as sleep } from 'node:timers/promises';
import { CLUSTER_DNS_SELECTOR, DelosError, type Progress, SYSTEM_NAMESPACE } from '@delos/core';
import type { KubeClient } from '@delos/kube';
import { z } from 'zod';
import { openApi } from './api.ts';
import { nodeName } from './host/addresses.ts';
import { askedHash, layoutOf, type NodeSpec, specHash } from './spec.ts';
import { type HostStatus, type NodeStatus, tryReadHostStatus, tryReadNodeStatus } from './status.ts';

const node = z.object({
  status: z.object({
    conditions: z
      .array(
        z.object({
          type: z.string(),
          status: z.string(),
          message: z.string().default(''),
        }),
      )
      .default([]),
  }),
});
const lease = z.object({ spec: z.object({ renewTime: z.string().nullish() }) });
const deployment = z.object({
  metadata: z.object({ generation: z.number() }),
  spec: z.object({ replicas: z.number() }),
  status: z.object({
    observedGeneration: z.number().default(0),
    readyReplicas: z.number().default(0),
    updatedReplicas: z.number().default(0),
  }),
});
const pods = z.object({
  items: z.array(
    z.object({
      status: z.object({
        phase: z.string().default('Pending'),
        containerStatuses: z
          .array(
            z.object({
              ready: z.boolean(),
              state: z.object({
                waiting: z.object({ reason: z.string().default(''), message: z.string().default('') }).optional(),
              }),
            }),
          )
          .default([]),
      }),
    }),
  ),
});

const LIMIT = 180_000;
/** Nodes share the machine's cores while they start. */
const LIMIT_FURTHER = 30_000;

/**
 * Waits until these nodes serve: all parts ready, add-ons applied, Node ready, cluster DNS answering.
 * @throws DelosError ERR_CLUSTER_START at the limit, with what was waited for last and where its log is; at once, where the
 * API server refuses the labels or devices of the Node
 */
export async function waitForCluster(specs: readonly NodeSpec[], progress: Progress): Promise<void> {
  const began = performance.now();
  const limit = LIMIT + LIMIT_FURTHER * (specs.length - 1);
  let said = '';
  let api: KubeClient | undefined;
  try {
    for (;;) {
      const missing = await missingOf(specs, (spec) => {
        api ??= openApi(spec, 'admin');
        return api;
      });
      if (missing === undefined) return;
      const refused = specs
        .map((spec) => refusalOf(spec, tryReadNodeStatus(layoutOf(spec.state, spec.index))))
        .find((each) => each !== undefined);
      if (refused !== undefined) {
        throw new DelosError('ERR_CLUSTER_START', refused, {
          hint: 'correct the labels and GPUs of its entry of nodePools, and run the same command again',
        });
      }
      const seconds = Math.round((performance.now() - began) / 1000);
      if (missing !== said) progress.step(missing);
      said = missing;
      if (performance.now() - began > limit) {
        throw new DelosError('ERR_CLUSTER_START', `${missing} (after ${seconds} s, limit ${limit / 1000} s)`, {
          hint: `see the logs in ${specs[0] === undefined ? 'its state' : layoutOf(specs[0].state).logs}; the same command goes on where this one stopped`,
        });
      }
      await sleep(100);
    }
  } finally {
    api?.close();
  }
}

async function missingOf(specs: readonly NodeSpec[], api: (spec: NodeSpec) => KubeClient): Promise<string | undefined> {
  for (const spec of specs) {
    const missing = await firstMissing(spec, () => api(spec));
    if (missing !== undefined) return spec.index === 1 ? missing : `${nodeName(spec.index)}: ${missing}`;
  }
  return undefined;
}

/** The first thing of a node that is not ready yet, in the order in which things get ready; undefined when all are. */
export async function firstMissing(
  spec: NodeSpec,
  api: () => Pick<KubeClient, 'get' | 'tryGet'>,
): Promise<string | undefined> {
  const layout = layoutOf(spec.state, spec.index);
  const host = tryReadHostStatus(layout);
  if (host === undefined) return 'host: starting';
  const said = host.members?.find(({ index }) => index === spec.index)?.message ?? host.message;
  if (said !== '') return `host: ${said}`;
  const ill = outOfService(spec.index, host);
  if (ill !== undefined) return ill;
  const status = tryReadNodeStatus(layout);
  if (status === undefined || status.specHash !== specHash(spec)) return 'node: starting';
  const part = status.parts.find((each) => each.state !== 'ready');
  if (part !== undefined) return `${part.name}: ${part.state}${part.message === '' ? '' : `, ${part.message}`}`;
  if (status.addons !== 'ready') return `add-ons: ${status.addons}`;
  if (spec.index === 1 && (status.addonNodes ?? spec.nodes) !== spec.nodes) return 'add-ons: not looked at yet';
  try {
    return (
      (await nodeMissing(api(), nodeName(spec.index), status.began)) ??
      nodeUnkept(spec, status) ??
      (status.dns === 'ready' ? undefined : await dnsMissing(api(), status.dns))
    );
  } catch (error) {
    return `kube-apiserver: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Which of the Node's labels and fake devices differ from the spec; undefined where none does. */
export function nodeUnkept(spec: NodeSpec, { node: state }: Pick<NodeStatus, 'node'>): string | undefined {
  if (state === undefined) return undefined;
  const name = nodeName(spec.index);
  if (state.asked !== askedHash(spec)) return `Node ${name}: its labels are not looked at yet`;
  return state.kind === 'ready' ? undefined : `Node ${name}: ${state.text}`;
}

/** How the API server refused the labels and fake devices of the spec for good. */
export function refusalOf(spec: NodeSpec, status: Pick<NodeStatus, 'node'> | undefined): string | undefined {
  if (status?.node?.kind !== 'refused' || status.node.asked !== askedHash(spec)) return undefined;
  return `Node ${nodeName(spec.index)}: ${status.node.text}`;
}

/** Why a node that was stopped or cut off is not waited for. */
function outOfService(index: number, { wanted }: Pick<HostStatus, 'wanted'>): string | undefined {
  if (wanted?.stopped.includes(index) === true) return `stopped: delos cluster node start ${nodeName(index)}`;
  return wanted?.cut.includes(index) === true ? `cut off: delos cluster node mend ${nodeName(index)}` : undefined;
}

async function nodeMissing(api: Pick<KubeClient, 'tryGet'>, name: string, began: string): Promise<string | undefined> {
  const found = await api.tryGet(`/api/v1/nodes/${name}`);
  if (found === undefined) return `Node ${name}: not registered yet`;
  const condition = node.parse(found).status.conditions.find((each) => each.type === 'Ready');
  // The API keeps what the kubelet said before a crash. It counts only when the kubelet has renewed its lease since.
  const renewed = await api.tryGet(`/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${name}`);
  const time = renewed === undefined ? undefined : lease.parse(renewed).spec.renewTime;
  if (Date.parse(time ?? '') < Date.parse(began)) return `Node ${name}: the kubelet has not reported since it started`;
  return condition?.status === 'True' ? undefined : `Node ${name}: ${condition?.message ?? 'no condition yet'}`;
}

async function dnsMissing(api: Pick<KubeClient, 'get' | 'tryGet'>, said: string): Promise<string | undefined> {
  const found = await api.tryGet(`/apis/apps/v1/namespaces/${SYSTEM_NAMESPACE}/deployments/coredns`);
  if (found === undefined) return `Deployment ${SYSTEM_NAMESPACE}/coredns: not there yet`;
  const { metadata, spec, status } = deployment.parse(found);
  const current = status.observedGeneration >= metadata.generation && status.updatedReplicas >= spec.replicas;
  if (current && status.readyReplicas >= spec.replicas) return `cluster DNS: ${said}`;
  const list = pods.parse(
    await api.get(`/api/v1/namespaces/${SYSTEM_NAMESPACE}/pods`, { labelSelector: CLUSTER_DNS_SELECTOR }),
  );
  const waiting = list.items.flatMap((pod) => pod.status.containerStatuses).find((each) => !each.ready)?.state.waiting;
  const why =
    waiting === undefined ? (list.items[0]?.status.phase ?? 'no Pod yet') : `${waiting.reason} ${waiting.message}`;
  return `Deployment ${SYSTEM_NAMESPACE}/coredns: ${status.readyReplicas}/${spec.replicas} ready, ${why.trim()}`;
}
