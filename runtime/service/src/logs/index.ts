export * from './archive.ts';
export * from './cri.ts';
export * from './follow.ts';
export * from './log-archive.ts';
export * from './log-store.ts';
export * from './object-bucket.ts';
export * from './renderer.ts';
export * from './tails.ts';
