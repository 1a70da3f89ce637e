import { milliOn, type NodeTable, type PlacementPolicy, type Preset, type Shape } from '@delos/scheduling';
import { demandOf } from './demand.ts';
import { type LossGrowth, lossGrowth } from './policies/default.ts';
import { type PodRequest, WHOLE_GPU } from './terms.ts';

/** A node has no more devices than that. */
const MOST_DEVICES = 64;
/** Every part of a device in the core's terms counts as this of one whose memory is not known. */
const UNKNOWN_MEMORY_MIB = 40_960;

/**
 * The placement policy `default` of this room for the scheduler's core: the node, and for a part the device, where what is
 * expected never to be used grows least. There it learns demand from arrivals; here it is the world's own (policy.demand, else each
 * preset alike), since a decision must follow from the state alone. Source and derivation: docs/packing.md.
 */
export const expectedLossPlacement: PlacementPolicy = {
  name: 'expected-loss',
  score: () => 0,
  inWorld: ({ demand }) => {
    const kinds = demand.map(({ preset, weight }) => ({ request: requestOf(preset), weight }));
    const loss = lossGrowth(demandOf(kinds), MOST_DEVICES, 0);
    return {
      name: 'expected-loss',
      score: (nodes, node, shape) => scoreOf(loss, nodes, node, shape),
      device: (nodes, node, shape) => leastDevice(loss, nodes, node, shape).device,
    };
  },
};

function scoreOf(loss: LossGrowth, nodes: NodeTable, node: number, shape: Shape): number {
  const idle = nodes.idleGpus[node] ?? 0;
  const { gpu } = shape;
  const part = gpu.kind === 'fraction' || gpu.kind === 'memory';
  const devices = gpu.kind === 'whole' ? gpu.count : gpu.kind === 'claim' ? Math.min(idle, claimed(shape)) : 0;
  const milli = part ? milliOn(gpu, nodes.specs[node]?.gpu?.memoryMiB ?? 0) : devices * WHOLE_GPU;
  const cpu = loss.cpu(nodes.milliCpu[node] ?? 0, nodes.freeGpu[node] ?? 0, shape.milliCpu, milli);
  return cpu + (part ? leastDevice(loss, nodes, node, shape).growth : loss.whole(idle, devices));
}

function leastDevice(
  loss: LossGrowth,
  nodes: NodeTable,
  node: number,
  shape: Shape,
): { readonly device: number; readonly growth: number } {
  const idle = nodes.idleGpus[node] ?? 0;
  const milli = milliOn(shape.gpu, nodes.specs[node]?.gpu?.memoryMiB ?? 0);
  let least = { device: 0, growth: Number.POSITIVE_INFINITY };
  for (const device of nodes.partDevices(node, shape, 0)) {
    if (device === undefined) continue;
    const growth = loss.share(idle, nodes.freeMilli(node, device), milli);
    if (growth < least.growth) least = { device, growth };
  }
  return least;
}

function claimed({ gpu }: Shape): number {
  return gpu.kind === 'claim' ? gpu.claim.requests.reduce((sum, { count }) => sum + count, 0) : 0;
}

function requestOf({ milliCpu, memoryMiB, gpu }: Preset): PodRequest {
  const request = { cpuMilli: milliCpu, memoryMib: memoryMiB, gpus: 0, gpuMilli: WHOLE_GPU, models: [] };
  switch (gpu?.kind) {
    case undefined:
    case 'slice':
      return request;
    case 'whole':
      return { ...request, gpus: gpu.count };
    case 'fraction':
      return { ...request, gpus: 1, gpuMilli: gpu.milli };
    case 'memory': {
      const device = gpu.minMemoryMiB ?? Math.max(UNKNOWN_MEMORY_MIB, gpu.memoryMiB);
      return { ...request, gpus: 1, gpuMilli: Math.min(WHOLE_GPU, Math.ceil((gpu.memoryMiB * WHOLE_GPU) / device)) };
    }
    case 'claim':
      return { ...request, gpus: gpu.requests.reduce((sum, { count, upTo }) => sum + (upTo ?? count), 0) };
  }
}
