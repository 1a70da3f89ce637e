import { arrivals, draws, shuffled } from './arrivals.ts';
import { Cluster } from './cluster.ts';
import type { Policy } from './policy.ts';
import type { NodeShape, PodRequest } from './terms.ts';
import { typicalPods } from './typical-pods.ts';

/** What decides which Pods come, and in which order. */
export interface Arrivals {
  readonly nodes: readonly NodeShape[];
  readonly workload: readonly PodRequest[];
  /** GPUs asked for by all arrivals, as part of the cluster's. */
  readonly ratio: number;
  readonly seed: number;
}

export interface Replay extends Arrivals {
  readonly policy: Policy;
}

export interface ReplayResult {
  /** Allocated milli-GPU after the last arrival. */
  readonly gpuAllocated: number;
  readonly decisions: number;
  readonly refused: number;
}

/**
 * Arrivals only, as in the published experiment of FGD: Pods come in random order, none ever leaves, and one that does
 * not fit when it comes is refused for good. Nodes stand in random order, which is what breaks ties. Source:
 * hkust-adsl/kubernetes-scheduler-simulator, the artifact of Weng et al., USENIX ATC 2023.
 */
export function replay({ policy, ...what }: Replay): ReplayResult {
  const { cluster, pods, draw } = start(what);
  const placer = policy.start(cluster, { typical: typicalPods(what.workload), draw });
  let refused = 0;
  for (const pod of pods) {
    placer.arrived?.(pod);
    const placement = placer.tryPlace(pod);
    if (placement === undefined) refused += 1;
    else cluster.allocate(pod, placement);
  }
  return { gpuAllocated: cluster.gpuAllocated, decisions: pods.length, refused };
}

/** The Pods of a replay in the order in which they come. */
export function replayArrivals(what: Arrivals): readonly PodRequest[] {
  return start(what).pods;
}

function start({ nodes, workload, ratio, seed }: Arrivals): {
  readonly cluster: Cluster;
  readonly pods: readonly PodRequest[];
  readonly draw: (below: number) => number;
} {
  const draw = draws(seed);
  const cluster = new Cluster(shuffled(nodes, draw));
  return { cluster, pods: arrivals(workload, cluster.gpuCapacity, ratio, draw), draw };
}
