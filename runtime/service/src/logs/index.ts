export * from './archive.ts';
export * from './cri.ts';
export * from './follow.ts';
export * from './log-store.ts';
export * from './renderer.ts';
export * from './tails.ts';
