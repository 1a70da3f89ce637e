/*
 * Words that several rooms must say alike. Each stands here once.
 */

/** Where the platform's own services run; Pod Security `restricted`. */
export const PLATFORM_NAMESPACE = 'delos';
/** Where services run that read a node's disk; Pod Security `privileged`. */
export const NODE_NAMESPACE = 'delos-node';
/** The gateway's Service, as cluster DNS names it. */
export const GATEWAY_HOST = `gateway.${PLATFORM_NAMESPACE}.svc.cluster.local`;

/** Annotation of a PersistentVolume: bytes that its files take, as the embedded node's keeper of disks tells. */
export const USED_BYTES = 'delos.dev/used-bytes';
