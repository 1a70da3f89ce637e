export * from './decision.ts';
export * from './explain.ts';
export { isKeptFor } from './held.ts';
export * from './live.ts';
export * from './model.ts';
export { capacityOf, type NodeTable } from './node-table.ts';
export {
  bestFit,
  CORE_PLACEMENTS,
  type PlacementPolicy,
  type Placements,
  type PlacementWorld,
  placementsOf,
  worstFit,
} from './policies/placement.ts';
export * from './quantities.ts';
export * from './reason.ts';
export * from './scheduler.ts';
export { milliOn, quotaMilliGpu, type Shape } from './shapes.ts';
export * from './snapshot.ts';
export type { SnapshotFault } from './snapshot-fault.ts';
export * from './snapshot-faults.ts';
export type { Touched } from './touches.ts';
