import { CONTROL_PLANE_LABEL, OWN_PREFIX } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import type { Construct } from 'constructs';
import { selectorOf } from './names.ts';

/** Where the Pods of one workload run. */
export interface Placement {
  /** Whether two Pods of one workload may be on one node where there is no other. */
  readonly apart: 'preferred' | 'required';
  /** So long after a node was lost its Pods are made elsewhere. @default Kubernetes' five minutes */
  readonly lostNodeSeconds?: number;
}

const PLACEMENT = `${OWN_PREFIX}placement`;
const USUAL: Placement = { apart: 'preferred' };

/** Where the Pods of this tree run. Call it before anything is put into the tree. */
export function setPlacement(tree: Construct, placement: Placement): void {
  tree.node.setContext(PLACEMENT, placement);
}

/** Parts of a Pod's specification that place the Pods of a Deployment. */
export function placed(
  construct: Construct,
  name: string,
): Required<Pick<k8s.PodSpec, 'topologySpreadConstraints'>> & Pick<k8s.PodSpec, 'affinity' | 'tolerations'> {
  const { apart, lostNodeSeconds } = (construct.node.tryGetContext(PLACEMENT) ?? USUAL) as Placement;
  const over = (topologyKey: string, whenUnsatisfiable: string): k8s.TopologySpreadConstraint => ({
    topologyKey,
    maxSkew: 1,
    whenUnsatisfiable,
    labelSelector: { matchLabels: { ...selectorOf(name) } },
    // Pods of the form that is on its way out do not count.
    matchLabelKeys: ['pod-template-hash'],
  });
  return {
    topologySpreadConstraints: [
      over('kubernetes.io/hostname', apart === 'required' ? 'DoNotSchedule' : 'ScheduleAnyway'),
      over('topology.kubernetes.io/zone', 'ScheduleAnyway'),
    ],
    ...(lostNodeSeconds === undefined
      ? {}
      : {
          affinity: awayFromControlPlane(),
          tolerations: ['not-ready', 'unreachable'].map((condition) => ({
            key: `node.kubernetes.io/${condition}`,
            operator: 'Exists',
            effect: 'NoExecute',
            tolerationSeconds: lostNodeSeconds,
          })),
        }),
  };
}

/**
 * Where there are other nodes, those without the control plane. While it is lost with its node, nobody takes that node's Pods out
 * of their Services, and no member of a database takes another's place.
 */
const awayFromControlPlane = (): k8s.Affinity => ({
  nodeAffinity: {
    preferredDuringSchedulingIgnoredDuringExecution: [
      { weight: 100, preference: { matchExpressions: [{ key: CONTROL_PLANE_LABEL, operator: 'DoesNotExist' }] } },
    ],
  },
});

/** The part of a Pod's specification that keeps members, each of which holds a copy, on nodes of their own. */
export function apart(construct: Construct, name: string): Pick<k8s.PodSpec, 'affinity'> {
  const placement = (construct.node.tryGetContext(PLACEMENT) ?? USUAL) as Placement;
  const term = { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { ...selectorOf(name) } } };
  return {
    affinity: {
      podAntiAffinity:
        placement.apart === 'required'
          ? { requiredDuringSchedulingIgnoredDuringExecution: [term] }
          : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] },
      ...awayFromControlPlane(),
    },
  };
}

/**
 * How Pods ask for names where a node may be lost, and with it a Pod of cluster DNS: another is asked after a second, and not after
 * five, and names that are whole are not tried with five endings before.
 * @see https://man7.org/linux/man-pages/man5/resolv.conf.5.html
 */
export function quickNames(construct: Construct): Pick<k8s.PodSpec, 'dnsConfig'> {
  const { lostNodeSeconds } = (construct.node.tryGetContext(PLACEMENT) ?? USUAL) as Placement;
  if (lostNodeSeconds === undefined) return {};
  return {
    dnsConfig: {
      options: [
        { name: 'timeout', value: '1' },
        { name: 'attempts', value: '5' },
        { name: 'ndots', value: '2' },
      ],
    },
  };
}
