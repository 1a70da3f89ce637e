export * from './engine.ts';
export * from './toolchain.ts';
