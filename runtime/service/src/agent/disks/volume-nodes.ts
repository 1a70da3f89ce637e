import { meets } from '@delos/kube';
import type { Node } from '../jobs/pod-shape.ts';
import type { NodeTerm, Volume } from './claim-shape.ts';

/**
 * Names of the nodes that a volume can be mounted on, in order; null: it does not say.
 * @see https://kubernetes.io/docs/concepts/storage/persistent-volumes/#node-affinity
 */
export function volumeNodes({ spec }: Volume, nodes: Iterable<Node>): string[] | null {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms === undefined) return null;
  return [...nodes]
    .filter((node) => terms.some((term) => suits(term, node)))
    .map(({ metadata }) => metadata.name)
    .sort();
}

function suits({ matchExpressions, matchFields }: NodeTerm, { metadata }: Node): boolean {
  // Kubernetes: a term that asks for nothing is met by no node.
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((each) => meets(each, metadata.labels[each.key])) &&
    matchFields.every((each) => meets(each, each.key === 'metadata.name' ? metadata.name : undefined))
  );
}
