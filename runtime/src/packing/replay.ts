import { arrivals, draws, shuffled } from './arrivals.ts';
import { Cluster } from './cluster.ts';
import type { Policy } from './policy.ts';
import type { NodeShape, PodRequest } from './terms.ts';
import { typicalPods } from './typical-pods.ts';

export interface Replay {
  readonly nodes: readonly NodeShape[];
  readonly workload: readonly PodRequest[];
  /** GPUs asked for by all arrivals, as part of the cluster's. */
  readonly ratio: number;
  readonly seed: number;
  readonly policy: Policy;
}

export interface ReplayResult {
  /** Allocated milli-GPU after the last arrival, in percent of the cluster's. */
  readonly allocated: number;
  readonly decisions: number;
  readonly refused: number;
}

/**
 * Arrivals only, as in the published experiment of FGD: Pods come in random order, none ever leaves, and one that does
 * not fit when it comes is refused for good. Nodes stand in random order, which is what breaks ties.
 */
export function replay({ nodes, workload, ratio, seed, policy }: Replay): ReplayResult & { readonly cluster: Cluster } {
  const draw = draws(seed);
  const cluster = new Cluster(shuffled(nodes, draw));
  const pods = arrivals(workload, cluster.gpuCapacity, ratio, draw);
  const placer = policy.start(cluster, { typical: typicalPods(workload), draw });
  let refused = 0;
  for (const pod of pods) {
    placer.arrived?.(pod);
    const placement = placer.tryPlace(pod);
    if (placement === undefined) refused += 1;
    else cluster.allocate(pod, placement);
  }
  return {
    allocated: (100 * cluster.gpuAllocated) / cluster.gpuCapacity,
    decisions: pods.length,
    refused,
    cluster,
  };
}
