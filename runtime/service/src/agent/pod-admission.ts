import type { ContainerStatus, Pod } from './jobs/pod-shape.ts';

/*
 * A kubelet looks again at each Pod that it is given, and may refuse it: kube-scheduler counted on devices or memory
 * that are not there (any more), or the node has changed meanwhile. Such a Pod is `Failed` and stays so, and none of
 * its containers has started. https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction,
 * pkg/kubelet/lifecycle of Kubernetes.
 */

/** `OutOfcpu`, `OutOfnvidia.com/gpu` … */
const OUT_OF = /^OutOf(.+)$/;
const REFUSALS: Readonly<Record<string, string>> = {
  NodeAffinity: 'its labels do not fit the Pod any more',
  NodeName: 'it is another node',
  NodePorts: 'a port that the Pod needs is taken there',
  NodeUnschedulable: 'it was closed by the administrator',
  TaintToleration: 'it was closed by a taint',
  TopologyAffinityError: 'what is free there is not as close together as its settings demand',
  SMTAlignmentError: 'cores are given there in pairs only',
  UnexpectedAdmissionError: 'a device or resource could not be given to it',
  UnexpectedPredicateFailureType: 'its kubelet could not check it',
  UnknownReason: 'its kubelet could not check it',
  InvalidNodeInfo: 'its kubelet does not know the node yet',
  NodeShutdown: 'the node is shutting down',
  VolumeAttachmentLimitExceeded: 'no more volumes can be attached there',
  AppArmor: 'it has no AppArmor',
  SysctlForbidden: 'it does not permit a kernel setting',
  PodOSNotSupported: 'it has another operating system',
  PodOSSelectorNodeLabelDoesNotMatch: 'it has another operating system',
  PodLevelResourcesNotSupported: 'it is too old for the Pod',
  SupplementalGroupsPolicyNotSupported: 'it is too old for the Pod',
  InitContainerRestartPolicyForbidden: 'it is too old for the Pod',
};

/** Whether no container of the Pod has ever started. */
export function neverStarted(status: ContainerStatus | undefined): boolean {
  if (status === undefined) return true;
  const { state, lastState } = status;
  return [state, lastState].every(({ running, terminated }) => running === undefined && terminated === undefined);
}

/** Why its kubelet refused a Pod, and the kubelet's own word for it; undefined where it did not refuse. */
export function whyRefused(pod: Pod, status: ContainerStatus | undefined): string | undefined {
  const { phase, reason, message } = pod.status;
  if (phase !== 'Failed' || reason === '' || !neverStarted(status)) return undefined;
  const why = wordsOf(reason, message);
  return why === undefined ? undefined : `node ${pod.spec.nodeName ?? 'unknown'} refused it: ${why} (${reason})`;
}

function wordsOf(reason: string, message: string): string | undefined {
  const resource = OUT_OF.exec(reason)?.[1];
  if (resource !== undefined) return `it has less ${resource} free than was expected`;
  const known = REFUSALS[reason];
  if (known !== undefined) return known;
  // A kubelet that is short of disk or memory takes no more Pods. It says `Evicted` of those that it had, too.
  if (reason === 'Evicted' && /^(?:Pod was rejected: )?(?:Pod )?The node had condition: /i.test(message))
    return 'it is short of disk, memory or process numbers';
  // Reasons of later kubelets.
  return message.startsWith('Pod was rejected: ')
    ? message.slice('Pod was rejected: '.length).slice(0, 200)
    : undefined;
}
