export * from './metrics.ts';
export * from './simulate.ts';
export * from './workload.ts';
