import type { Cluster } from './cluster.ts';
import { isShare, type PodRequest, WHOLE_GPU } from './terms.ts';

/** The first idle GPUs of a node, as many as asked for: idle GPUs of one node differ in nothing. */
export function idleGpus(cluster: Cluster, node: number, count: number): readonly number[] {
  const chosen: number[] = [];
  for (let gpu = 0; chosen.length < count; gpu += 1) {
    if (gpu === cluster.gpuCount[node]) throw new RangeError(`node ${node} has no ${count} idle GPUs`);
    if (cluster.gpuFree[node * cluster.stride + gpu] === WHOLE_GPU) chosen.push(gpu);
  }
  return chosen;
}

/** The GPUs that fit with the least left over: for a share the fullest GPU that has room. */
export function tightestGpus(cluster: Cluster, node: number, request: PodRequest): readonly number[] {
  if (!isShare(request)) return idleGpus(cluster, node, request.gpus);
  return [gpuWithLeast(cluster, node, request, (free) => free)];
}

/** The GPU of a node that has room for a share and the least cost by its free milli; the lowest index on a tie. */
export function gpuWithLeast(
  cluster: Cluster,
  node: number,
  { gpuMilli }: PodRequest,
  cost: (free: number) => number,
): number {
  let best = -1;
  let least = Number.POSITIVE_INFINITY;
  for (let gpu = 0; gpu < (cluster.gpuCount[node] as number); gpu += 1) {
    const free = cluster.gpuFree[node * cluster.stride + gpu] as number;
    if (free < gpuMilli) continue;
    const value = cost(free);
    if (value < least) {
      least = value;
      best = gpu;
    }
  }
  if (best < 0) throw new RangeError(`node ${node} has no GPU with ${gpuMilli} milli free`);
  return best;
}
