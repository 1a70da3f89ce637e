import { fileURLToPath } from 'node:url';
import { OWN_PREFIX } from '@delos/core';

/** StorageClass of the embedded node's disks. */
export const DISK_CLASS = 'delos-disks';
export const PROVISIONER = `${OWN_PREFIX}disks`;
/** The node that makes the volume of a claim for which no node was chosen. */
export const FIRST_NODE = 'node-1';
/** Keeps a volume until its image is gone. */
export const FINALIZER = `${OWN_PREFIX}disk-image`;
/** Where images are mounted: in memory, so that after a restart nothing but a mount is there. */
export const MOUNTS = '/run/delos/disks';

/**
 * Entry of the keeper of disks, for Node. It runs as root in the node's mount namespace; environment: KUBECONFIG,
 * DELOS_DISKS (the folder of images), DELOS_NODE.
 */
export const DISK_KEEPER = fileURLToPath(new URL('main.ts', import.meta.url));
