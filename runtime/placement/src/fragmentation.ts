import type { Cluster } from './cluster.ts';
import type { TypicalPod } from './policy.ts';
import { isShare, WHOLE_GPU } from './terms.ts';

/**
 * A node's usable milli-GPU, expected over the typical Pods: what is idle less the fragmentation F of Weng et al.
 * (USENIX ATC 2023, section 3). To a Pod for which CPU, GPUs or model do not suffice nothing is usable; else the GPUs
 * with at least what it asks of one are; to a Pod that asks for no GPU nothing is.
 *
 * That a typical Pod fits depends on the node's CPU only by which of the kinds have no more than that, and a GPU's part
 * only on its own free milli, so both are looked up in tables made once: a node costs one look a GPU.
 */
export interface UsableGpu {
  /** Index of a free amount of CPU, for the functions below. */
  level(cpuMilli: number): number;
  /** What one GPU with `free` milli is worth to typical shares at a CPU level on a model. */
  share(model: number, level: number, free: number): number;
  /** What `idle` idle GPUs are worth, beside their worth to shares, to typical Pods of whole GPUs. */
  whole(model: number, level: number, idle: number): number;
  /** Usable milli of a node as it is. */
  node(node: number): number;
}

export function usableGpu(cluster: Cluster, typical: readonly TypicalPod[]): UsableGpu {
  const pods = typical.filter(({ request }) => request.gpus > 0);
  const cpus = [...new Set(pods.map(({ request }) => request.cpuMilli))].sort((a, b) => a - b);
  const levels = cpus.length + 1;
  const { models, stride } = cluster;
  const shares = new Float64Array(models.length * levels * (WHOLE_GPU + 1));
  const wholes = new Float64Array(models.length * levels * (stride + 1));
  for (let model = 0; model < models.length; model += 1) {
    for (let level = 0; level < levels; level += 1) {
      const cpu = level === 0 ? -1 : (cpus[level - 1] as number);
      const base = model * levels + level;
      for (const { request, popularity } of pods) {
        if (request.cpuMilli > cpu) continue;
        if (request.models.length > 0 && !request.models.includes(models[model] as string)) continue;
        if (isShare(request)) {
          for (let free = request.gpuMilli; free <= WHOLE_GPU; free += 1) {
            const at = base * (WHOLE_GPU + 1) + free;
            shares[at] = (shares[at] as number) + popularity * free;
          }
        } else {
          for (let idle = request.gpus; idle <= stride; idle += 1) {
            const at = base * (stride + 1) + idle;
            wholes[at] = (wholes[at] as number) + popularity * idle * WHOLE_GPU;
          }
        }
      }
    }
  }
  const level = (cpuMilli: number): number => {
    let low = 0;
    let high = cpus.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((cpus[middle] as number) <= cpuMilli) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const share = (model: number, at: number, free: number): number =>
    shares[(model * levels + at) * (WHOLE_GPU + 1) + free] as number;
  const whole = (model: number, at: number, idle: number): number =>
    wholes[(model * levels + at) * (stride + 1) + idle] as number;
  return {
    level,
    share,
    whole,
    node(node) {
      const model = cluster.model[node] as number;
      const at = level(cluster.cpuFree[node] as number);
      let sum = whole(model, at, cluster.idle[node] as number);
      const first = node * stride;
      for (let gpu = first; gpu < first + (cluster.gpuCount[node] as number); gpu += 1) {
        sum += share(model, at, cluster.gpuFree[gpu] as number);
      }
      return sum;
    },
  };
}
