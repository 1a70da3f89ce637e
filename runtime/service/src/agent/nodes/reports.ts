import { JOB_LABEL, type NodeReport, POOL_LABEL, quantityOr0 } from '@delos/core';
import type { Node, PodUsage, Taint } from '../jobs/pod-shape.ts';

/** Resources that are no devices. */
const PLAIN = new Set(['cpu', 'memory', 'pods', 'ephemeral-storage']);

/**
 * What each node has left for jobs: what it can allocate, less what all other Pods on it asked for.
 * @param onlyPool the pool of nodes without a pool's label, where there is but one
 */
export function nodeReports(
  nodes: Iterable<Node>,
  pods: Iterable<PodUsage>,
  onlyPool: string | undefined,
): readonly NodeReport[] {
  const used = new Map<string, { cpu: number; memory: number; pods: number; extended: Map<string, number> }>();
  for (const pod of pods) {
    const node = pod.spec.nodeName;
    if (node === undefined || isJob(pod) || pod.status.phase === 'Succeeded' || pod.status.phase === 'Failed') continue;
    const sum = used.get(node) ?? { cpu: 0, memory: 0, pods: 0, extended: new Map<string, number>() };
    used.set(node, sum);
    sum.cpu += requestOf(pod, 'cpu');
    sum.memory += requestOf(pod, 'memory');
    sum.pods += 1;
    for (const name of resourceNames(pod)) {
      if (isDevice(name)) sum.extended.set(name, (sum.extended.get(name) ?? 0) + requestOf(pod, name));
    }
  }
  return [...nodes]
    .map((node) => {
      const taken = used.get(node.metadata.name);
      const { allocatable } = node.status;
      const left = (name: string, less: number): number => Math.max(0, quantityOr0(allocatable[name]) - less);
      return {
        name: node.metadata.name,
        pool: node.metadata.labels[POOL_LABEL] ?? onlyPool ?? null,
        ready: node.status.conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
        schedulable: !node.spec.unschedulable && !node.spec.taints.some((taint) => repels(taint) && !isDevices(taint)),
        taints: [
          ...new Set(node.spec.taints.filter((taint) => repels(taint) && isDevices(taint)).map(({ key }) => key)),
        ].sort(),
        cpu: Math.round(left('cpu', taken?.cpu ?? 0) * 1000) / 1000,
        memory: Math.floor(left('memory', taken?.memory ?? 0)),
        pods: Math.floor(left('pods', taken?.pods ?? 0)),
        extended: Object.fromEntries(
          Object.keys(allocatable)
            .filter(isDevice)
            .map((name) => [name, Math.floor(left(name, taken?.extended.get(name) ?? 0))]),
        ),
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function repels({ effect }: Taint): boolean {
  return effect !== 'PreferNoSchedule';
}

/**
 * Jobs with a device tolerate the taint of its name, such as `nvidia.com/gpu`. No job tolerates the control plane's
 * taint, or any other.
 */
function isDevices({ key }: Taint): boolean {
  return /^(nvidia\.com|amd\.com|gpu\.intel\.com)\//.test(key);
}

function isJob(pod: PodUsage): boolean {
  return pod.metadata.labels[JOB_LABEL] !== undefined;
}

function isDevice(name: string): boolean {
  return !PLAIN.has(name) && !name.startsWith('hugepages-');
}

function resourceNames(pod: PodUsage): ReadonlySet<string> {
  const all = [...pod.spec.containers, ...pod.spec.initContainers];
  return new Set(all.flatMap(({ resources }) => Object.keys(resources.requests)));
}

/** As kube-scheduler counts: containers and sidecars together, or the largest init container, and the overhead. */
function requestOf(pod: PodUsage, name: string): number {
  const of = (container: { readonly resources: { readonly requests: Readonly<Record<string, string>> } }): number =>
    quantityOr0(container.resources.requests[name]);
  let sidecars = 0;
  let largest = 0;
  for (const container of pod.spec.initContainers) {
    if (container.restartPolicy === 'Always') sidecars += of(container);
    else largest = Math.max(largest, sidecars + of(container));
  }
  const together = pod.spec.containers.reduce((sum, container) => sum + of(container), sidecars);
  return Math.max(together, largest) + quantityOr0(pod.spec.overhead[name]);
}
