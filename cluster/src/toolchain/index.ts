export * from './packages.ts';
export * from './resolve.ts';
export * from './types.ts';
