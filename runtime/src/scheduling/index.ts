export * from './decision.ts';
export * from './explain.ts';
export * from './model.ts';
export { bestFit, type PlacementPolicy, placementNames, registerPlacement, worstFit } from './policies/placement.ts';
export * from './quantities.ts';
export * from './reason.ts';
export * from './scheduler.ts';
export * from './snapshot.ts';
export * from './snapshot-faults.ts';
