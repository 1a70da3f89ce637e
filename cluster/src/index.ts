export * from './engine.ts';
export * from './toolchain/index.ts';
