import type { ContainerStatus, Pod } from './pod-shape.ts';

/**
 * Reasons of the condition DisruptionTarget that are not the Pod's own doing. The kubelet's (TerminationByKubelet) may
 * be: the Pod may have used up its node's disk.
 * https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
 */
const WORDS: Readonly<Record<string, string>> = {
  EvictionByEvictionAPI: 'is being drained',
  DeletionByTaintManager: 'was closed to it by a taint, or does not answer any more',
  DeletionByPodGC: 'is gone',
  PreemptionByScheduler: 'was needed for a Pod of the cluster that goes before jobs',
};
/** The kubelet's, where the machine is shut down in good order. */
const SHUT_DOWN: ReadonlySet<string> = new Set(['Terminated', 'NodeShutdown']);

/**
 * Why a Pod was ended for its node's sake, or deleted by others; undefined where it was not, or had ended by itself
 * before. How it ended then (without an error, for instance) does not matter.
 */
export function whyPutOut(pod: Pod, status: ContainerStatus | undefined): string | undefined {
  const found = askedToGo(pod);
  const finishedAt = Date.parse(status?.state.terminated?.finishedAt ?? '');
  // Kubernetes tells whole seconds: which of two came first within one is not known.
  return found === undefined || finishedAt < found.at ? undefined : found.why;
}

/**
 * Why a container has ended that nobody saw end: its node, or what runs containers there, was started anew. No program
 * ends so. The kubelet says the one, containerd the other.
 */
export function whyLost(status: ContainerStatus | undefined): string | undefined {
  const { reason, exitCode } = status?.state.terminated ?? {};
  if (reason === 'ContainerStatusUnknown') return 'its node lost sight of the container';
  return reason === 'Unknown' && exitCode === 255 ? 'its node was started anew while it ran' : undefined;
}

/** @returns with `at` in milliseconds since 1970; NaN where it is not told */
function askedToGo(pod: Pod): { readonly why: string; readonly at: number } | undefined {
  const node = `its node${pod.spec.nodeName === undefined ? '' : ` ${pod.spec.nodeName}`}`;
  const target = pod.status.conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True');
  const at = Date.parse(target?.lastTransitionTime ?? '');
  if (SHUT_DOWN.has(pod.status.reason)) return { why: `${node} was shut down`, at };
  if (target !== undefined) {
    const words = WORDS[target.reason];
    return words === undefined ? undefined : { why: `${node} ${words}`, at };
  }
  const { deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
  if (deletionTimestamp === undefined) return undefined;
  return {
    why: 'its Pod was deleted from outside',
    at: Date.parse(deletionTimestamp) - deletionGracePeriodSeconds * 1000,
  };
}
