export { arrivals, draws, shuffled } from './arrivals.ts';
export { allocationBound, type LinearProgram, type Solver } from './bound.ts';
export { Cluster } from './cluster.ts';
export { expectedLossPlacement } from './core-placement.ts';
export { POLICIES } from './policies/index.ts';
export type { NodeFilter, Placer, Policy, PolicyContext, TypicalPod } from './policy.ts';
export { type Arrivals, type Replay, type ReplayResult, replay, replayArrivals } from './replay.ts';
export { isShare, type NodeShape, type Placement, type PodRequest, totalGpuMilli, WHOLE_GPU } from './terms.ts';
export { typicalPods } from './typical-pods.ts';
