export * from './lock.ts';
export * from './packages.ts';
export * from './resolve.ts';
export * from './run.ts';
export * from './types.ts';
