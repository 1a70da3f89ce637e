/** Registry host that our own images are named by; the nodes' containerd sends it to the mirror. */
export const MIRROR_HOST = 'registry.delos.internal';

/** Labels of an image that stands in for another: what it really is, and the name that it answers. */
export const STAND_IN_LABEL = 'dev.delos.stand-in';
export const STAND_IN_FOR_LABEL = 'dev.delos.stand-in-for';
