export * from './answers/explain.ts';
export * from './answers/reason.ts';
export * from './deciding/live.ts';
export * from './deciding/scheduler.ts';
export * from './deciding/snapshot.ts';
export * from './model/decision.ts';
export * from './model/model.ts';
export * from './model/quantities.ts';
export { milliOn, quotaMilliGpu, type Shape } from './model/shapes.ts';
export type { SnapshotFault } from './model/snapshot-fault.ts';
export * from './model/snapshot-faults.ts';
export {
  bestFit,
  CORE_PLACEMENTS,
  type PlacementPolicy,
  type Placements,
  type PlacementWorld,
  placementsOf,
  worstFit,
} from './policies/placement.ts';
export { isKeptFor } from './state/held.ts';
export { capacityOf, type NodeTable } from './state/node-table.ts';
export type { Touched } from './state/touches.ts';
