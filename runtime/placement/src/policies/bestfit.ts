import { tightestGpus } from '../gpu-choice.ts';
import type { Policy } from '../policy.ts';
import { ScoreCache } from '../score-cache.ts';
import { totalGpuMilli } from '../terms.ts';

/** Milli-CPU and milli-GPU of the largest node that the published experiment reckons with. */
const LARGEST_CPU = 128_000;
const LARGEST_GPU = 8_000;

/**
 * The node where least is left over: half the CPU left as part of 128 cores, half the GPU left as part of 8 GPUs. As
 * in the published experiment the score is a whole number of 0–100, so that near-equal nodes tie and the first in
 * order wins. Source: the `BestFit` baseline of Weng et al., USENIX ATC 2023; the idea is Protean's (OSDI 2020).
 */
export const bestfit: Policy = {
  name: 'bestfit',
  start(cluster) {
    const cache = new ScoreCache(cluster, ({ request }, node) => {
      const cpu = ((cluster.cpuFree[node] as number) - request.cpuMilli) / LARGEST_CPU;
      const gpu = ((cluster.gpuSum[node] as number) - totalGpuMilli(request)) / LARGEST_GPU;
      return -Math.trunc((1 - 0.5 * cpu - 0.5 * gpu) * 100);
    });
    return {
      tryPlace(request, allowed) {
        const best = cache.tryBest(request, allowed);
        return best && { node: best.node, gpus: tightestGpus(cluster, best.node, request) };
      },
    };
  },
};
