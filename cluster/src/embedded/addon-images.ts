/** Images of the node itself, which it needs whatever services the platform has. */
export const ADDON_IMAGES = ['pause', 'coredns', 'local-path-provisioner', 'metrics-server'] as const;
export type AddonImage = (typeof ADDON_IMAGES)[number];
