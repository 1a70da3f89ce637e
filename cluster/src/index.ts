export * from './devices/index.ts';
export { ADDON_IMAGES } from './embedded/addon-images.ts';
export * from './engine.ts';
export * from './engine-for.ts';
export { type ForwardedService, forwardRuns, keepForward } from './forward.ts';
export * from './images/index.ts';
export * from './preflight/index.ts';
export {
  type StorageCheckOptions,
  storageChecks,
  type WantedStorage,
  type WantedVolume,
} from './storage-check/index.ts';
export * from './toolchain/index.ts';
