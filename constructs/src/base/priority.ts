import { k8s } from 'cdk8s-plus-28';
import type { Construct, IConstruct } from 'constructs';
import { PART_OF, PRIORITY_CLASSES } from './names.ts';

/**
 * Kubernetes' own priorities. The platform goes before jobs; among jobs, the order is the scheduler's decision, so that
 * kube-scheduler must not evict one job for another behind its back (`Never`).
 */
export function priorityClasses(scope: Construct): readonly k8s.KubePriorityClass[] {
  const rows = [
    { name: PRIORITY_CLASSES.platform, value: 1_000_000, preemptionPolicy: 'PreemptLowerPriority' },
    { name: PRIORITY_CLASSES.high, value: 100, preemptionPolicy: 'Never' },
    { name: PRIORITY_CLASSES.normal, value: 0, preemptionPolicy: 'Never' },
    { name: PRIORITY_CLASSES.low, value: -100, preemptionPolicy: 'Never' },
  ];
  const classes = rows.map(
    ({ name, value, preemptionPolicy }) =>
      new k8s.KubePriorityClass(scope, `priority-${name}`, {
        metadata: { name, labels: { ...PART_OF } },
        value,
        preemptionPolicy,
      }),
  );
  OF_TREE.set(
    scope.node.root,
    classes.find(({ name }) => name === PRIORITY_CLASSES.platform),
  );
  return classes;
}

const OF_TREE = new WeakMap<IConstruct, k8s.KubePriorityClass | undefined>();

/** The PriorityClass of workloads of this tree; undefined where there is no platform in it, as in an app of other charts. */
export const priorityOf = (construct: IConstruct): k8s.KubePriorityClass | undefined =>
  OF_TREE.get(construct.node.root);
