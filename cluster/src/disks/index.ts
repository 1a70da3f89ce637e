export { imagesOf, loopsOf, releaseLoops } from './loops.ts';
export { DISK_CLASS, DISK_KEEPER, PROVISIONER } from './names.ts';
export { liesOn, nodeAffinity } from './volume-place.ts';
