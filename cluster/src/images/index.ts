export * from './deliver.ts';
export { ensureImages, type ImageOptions } from './ensure.ts';
export * from './list.ts';
export * from './place.ts';
export { registryReachable, standInsAnswer } from './reach.ts';
export { mirrorStore, type StoredImage, tryStored, withRegistry } from './store.ts';
