export * from './canonical.ts';
export * from './chain.ts';
export * from './event.ts';
export * from './formats.ts';
export * from './verify.ts';
