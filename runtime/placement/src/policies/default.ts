import type { Cluster } from '../cluster.ts';
import { type Demand, DemandLearner, expectedWaste } from '../demand.ts';
import { gpuWithLeast, idleGpus } from '../gpu-choice.ts';
import type { Policy } from '../policy.ts';
import { ScoreCache } from '../score-cache.ts';
import { isShare, type PodRequest, totalGpuMilli, WHOLE_GPU } from '../terms.ts';

/** Weight, beside the rates of shares, of "no share comes any more"; see `expectedWaste`. */
const IDLE_WEIGHT = 0.01;
/** Milli-GPU that one milli-GPU without CPU beside it is worth. */
const CPU_WEIGHT = 1;
/** Milli-GPU that one idle milli-GPU which does not make up a Pod of several is worth, by such Pods' part of demand. */
const SEVERAL_WEIGHT = 0.1;

/**
 * The placement after which the least is expected never to be used. What a node is expected to lose is the sum, in
 * milli-GPU, of
 *
 * - waste: for each GPU, what shares as they have come so far are expected to leave over of its free milli;
 * - CPU:   of its free GPUs, the part that lacks CPU, G·exp(−c / (r·G)) with G free milli-GPU, c free milli-CPU and r
 *          the milli-CPU that Pods ask for beside each milli-GPU;
 * - size:  for each number of GPUs that Pods ask for, the idle GPUs that do not make up another such Pod.
 *
 * A Pod without GPUs so goes where no GPU is free, one with much CPU where there is more than the GPUs there need, a
 * share where it leaves a rest that others fill, and a whole one to nodes whose idle GPUs are broken up already. It
 * learns from arrivals alone. Derivation, constants and figures: docs/packing.md. The descent is that of FGD (Weng et
 * al., USENIX ATC 2023), whose fragmentation this loss takes the place of.
 */
export const expectedLoss: Policy = {
  name: 'default',
  start(cluster) {
    const learner = new DemandLearner();
    let loss = nodeLoss(cluster, learner.learned);
    let cache = new ScoreCache(cluster, ({ request }, node) => loss.growth(request, node));
    return {
      arrived(request) {
        const before = learner.learned;
        learner.arrived(request);
        if (learner.learned === before) return;
        loss = nodeLoss(cluster, learner.learned);
        cache = new ScoreCache(cluster, ({ request: asked }, node) => loss.growth(asked, node));
      },
      tryPlace(request, allowed) {
        const best = cache.tryBest(request, allowed);
        if (best === undefined) return undefined;
        const { node } = best;
        return { node, gpus: isShare(request) ? [loss.gpu(request, node)] : idleGpus(cluster, node, request.gpus) };
      },
    };
  },
};

interface NodeLoss {
  /** By how much the node's expected loss grows with the request, in milli-GPU. */
  growth(request: PodRequest, node: number): number;
  /** The GPU of the node where a share makes it grow least. */
  gpu(request: PodRequest, node: number): number;
}

/** By how much a node's expected loss grows, in milli-GPU, part by part, whatever its state is kept in. */
export interface LossGrowth {
  /** Of CPU: with so much free of both, of which so much is taken. */
  cpu(cpuFree: number, gpuFree: number, cpuMilli: number, gpuMilli: number): number;
  /** Of waste and size: whole GPUs out of the idle ones. */
  whole(idle: number, gpus: number): number;
  /** Of waste and size: a share of a GPU with so much free, beside so many idle ones. */
  share(idle: number, free: number, gpuMilli: number): number;
}

/**
 * Growth of expected loss under a demand on nodes of at most `most` GPUs; `cpuPerGpu` is what counts before demand says it.
 * Everything is a look into a table but the exponential.
 */
export function lossGrowth(demand: Demand, most: number, cpuPerGpu: number): LossGrowth {
  const waste = expectedWaste(demand, IDLE_WEIGHT);
  const broken = brokenUp(most, demand);
  const perGpu = demand.cpuPerGpu ?? cpuPerGpu;
  const lackOfCpu = (cpu: number, gpu: number): number =>
    gpu === 0 || perGpu === 0 ? 0 : CPU_WEIGHT * gpu * Math.exp(-cpu / (perGpu * gpu));
  return {
    cpu: (cpuFree, gpuFree, cpuMilli, gpuMilli) =>
      lackOfCpu(cpuFree - cpuMilli, gpuFree - gpuMilli) - lackOfCpu(cpuFree, gpuFree),
    whole: (idle, gpus) =>
      (broken[idle - gpus] as number) - (broken[idle] as number) - gpus * (waste[WHOLE_GPU] as number),
    share: (idle, free, gpuMilli) =>
      (waste[free - gpuMilli] as number) -
      (waste[free] as number) +
      (free === WHOLE_GPU ? (broken[idle - 1] as number) - (broken[idle] as number) : 0),
  };
}

/** Expected loss by node under a demand. */
export function nodeLoss(cluster: Cluster, demand: Demand): NodeLoss {
  const loss = lossGrowth(demand, cluster.stride, cluster.cpuCapacity / Math.max(1, cluster.gpuCapacity));
  return {
    growth(request, node) {
      const idle = cluster.idle[node] as number;
      const [cpu, gpu] = [cluster.cpuFree[node] as number, cluster.gpuSum[node] as number];
      const cpuGrowth = loss.cpu(cpu, gpu, request.cpuMilli, totalGpuMilli(request));
      if (!isShare(request)) return cpuGrowth + loss.whole(idle, request.gpus);
      let least = Number.POSITIVE_INFINITY;
      const first = node * cluster.stride;
      for (let at = first; at < first + (cluster.gpuCount[node] as number); at += 1) {
        const free = cluster.gpuFree[at] as number;
        if (free >= request.gpuMilli) least = Math.min(least, loss.share(idle, free, request.gpuMilli));
      }
      return cpuGrowth + least;
    },
    gpu(request, node) {
      const idle = cluster.idle[node] as number;
      return gpuWithLeast(cluster, node, request, (free) => loss.share(idle, free, request.gpuMilli));
    },
  };
}

/** Loss of size by number of idle GPUs, up to the most that a node has. */
function brokenUp(most: number, { several }: Demand): Float64Array {
  return Float64Array.from({ length: most + 1 }, (_, idle) =>
    [...several].reduce((sum, [gpus, part]) => sum + SEVERAL_WEIGHT * part * (idle % gpus) * WHOLE_GPU, 0),
  );
}
