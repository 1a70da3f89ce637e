import type { Cluster } from '../cluster.ts';
import { type UsableGpu, usableGpu } from '../fragmentation.ts';
import { gpuWithLeast, idleGpus } from '../gpu-choice.ts';
import type { Policy } from '../policy.ts';
import { ScoreCache } from '../score-cache.ts';
import { isShare, type PodRequest, totalGpuMilli, WHOLE_GPU } from '../terms.ts';

/**
 * Fragmentation Gradient Descent: the node, and for a share the GPU, where fragmentation as the typical Pods see it
 * grows least. As in the published experiment the growth becomes a whole number of 0–100 by a sigmoid, so that
 * near-equal nodes tie and the first in order wins. Source: Weng et al., "Beware of Fragmentation: Scheduling
 * GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX ATC 2023.
 */
export const fgd: Policy = {
  name: 'fgd',
  start(cluster, { typical }) {
    const usable = usableGpu(cluster, typical);
    const cache = new ScoreCache(cluster, ({ request }, node) => {
      const growth = fragmentationGrowth(cluster, usable, request, node);
      return -Math.trunc(100 / (1 + Math.exp(growth / WHOLE_GPU)));
    });
    return {
      tryPlace(request, allowed) {
        const best = cache.tryBest(request, allowed);
        if (best === undefined) return undefined;
        const { node } = best;
        if (!isShare(request)) return { node, gpus: idleGpus(cluster, node, request.gpus) };
        const rest = usableBeside(cluster, usable, request, node);
        return { node, gpus: [gpuWithLeast(cluster, node, request, (free) => -rest(free))] };
      },
    };
  },
};

/** How much a node's fragmentation grows, in milli-GPU, by the request on its best GPUs there. */
export function fragmentationGrowth(cluster: Cluster, usable: UsableGpu, request: PodRequest, node: number): number {
  const before = (cluster.gpuSum[node] as number) - usable.node(node);
  const left = (cluster.gpuSum[node] as number) - totalGpuMilli(request);
  const rest = usableBeside(cluster, usable, request, node);
  if (!isShare(request)) return left - rest(0) - before;
  let most = 0;
  const first = node * cluster.stride;
  for (let gpu = first; gpu < first + (cluster.gpuCount[node] as number); gpu += 1) {
    const free = cluster.gpuFree[gpu] as number;
    if (free >= request.gpuMilli) most = Math.max(most, rest(free));
  }
  return left - most - before;
}

/** Usable milli-GPU after the request, as a function of the free milli that its GPU has now (a share's). */
function usableBeside(
  cluster: Cluster,
  usable: UsableGpu,
  request: PodRequest,
  node: number,
): (free: number) => number {
  const model = cluster.model[node] as number;
  const level = usable.level((cluster.cpuFree[node] as number) - request.cpuMilli);
  const idle = cluster.idle[node] as number;
  const first = node * cluster.stride;
  let shares = 0;
  for (let gpu = first; gpu < first + (cluster.gpuCount[node] as number); gpu += 1) {
    shares += usable.share(model, level, cluster.gpuFree[gpu] as number);
  }
  if (!isShare(request)) {
    const after =
      shares - request.gpus * usable.share(model, level, WHOLE_GPU) + usable.whole(model, level, idle - request.gpus);
    return () => after;
  }
  return (free) =>
    shares -
    usable.share(model, level, free) +
    usable.share(model, level, free - request.gpuMilli) +
    usable.whole(model, level, idle - (free === WHOLE_GPU ? 1 : 0));
}
