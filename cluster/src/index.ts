export * from './engine.ts';
export * from './images/index.ts';
export * from './toolchain/index.ts';
