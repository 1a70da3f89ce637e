export * from './model/job.ts';
export * from './model/job-id.ts';
export * from './model/messages.ts';
export * from './model/records.ts';
export * from './restart.ts';
export * from './run/bake.ts';
export type { BatchTask } from './state/node.ts';
