import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';
import { type PodRequest, totalGpuMilli } from './terms.ts';

/** Whole numbers in [0, below) that a seed determines. */
export function draws(seed: number): (below: number) => number {
  const generator = xoroshiro128plus(seed);
  return (below) => uniformInt(generator, 0, below - 1);
}

/** The same things in an order drawn uniformly (Fisher and Yates). */
export function shuffled<T>(things: readonly T[], draw: (below: number) => number): T[] {
  const order = [...things];
  for (let last = order.length - 1; last > 0; last -= 1) {
    const at = draw(last + 1);
    [order[last], order[at]] = [order[at] as T, order[last] as T];
  }
  return order;
}

/**
 * The Pods in the order in which they arrive: the workload in random order, then Pods drawn from it with replacement
 * until the GPUs asked for reach `ratio` of `gpuCapacity` (milli). Source: the published experiment of FGD.
 */
export function arrivals(
  workload: readonly PodRequest[],
  gpuCapacity: number,
  ratio: number,
  draw: (below: number) => number,
): readonly PodRequest[] {
  const pods = shuffled(workload, draw);
  let asked = pods.reduce((sum, pod) => sum + totalGpuMilli(pod), 0);
  if (asked === 0) return pods;
  while (asked < ratio * gpuCapacity) {
    const pod = workload[draw(workload.length)] as PodRequest;
    pods.push(pod);
    asked += totalGpuMilli(pod);
  }
  return pods;
}
