import type { Level } from '../model/model.ts';
import type { GroupNeed } from '../state/entities.ts';
import type { NodeTable } from '../state/node-table.ts';
import type { PlacementPolicy } from './placement.ts';

/** One replica's place, as taken on the nodes. */
export interface Pod {
  readonly group: number;
  readonly node: number;
  readonly gpus: readonly number[];
}

/** By group, node and device: which replica is the last must not depend on the order in which they were given. */
export function inOrder(pods: readonly Pod[], nodes: NodeTable): readonly Pod[] {
  if (pods.length < 2) return pods;
  const byDevice = (a: Pod, b: Pod): number => (a.gpus[0] ?? 0) - (b.gpus[0] ?? 0);
  const byNode = (a: Pod, b: Pod): number => (a.node === b.node ? 0 : nodes.name(a.node) < nodes.name(b.node) ? -1 : 1);
  return pods.toSorted((a, b) => a.group - b.group || byNode(a, b) || byDevice(a, b));
}

export interface GangRequest {
  readonly nodes: NodeTable;
  readonly placement: PlacementPolicy;
  readonly groups: readonly GroupNeed[];
  /** Replicas of each group. */
  readonly sizes: readonly number[];
  /** Nodes that may be used for each group. */
  readonly usable: readonly (readonly number[])[];
  /** All replicas within one domain of this level. */
  readonly within: Level;
  readonly topology: 'fewest-domains' | 'ignore';
  /** Told when the exact search stops at its limit, so that "no room" is not proven. */
  readonly onGiveUp?: () => void;
}
