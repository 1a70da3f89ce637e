/** Secrets of a project whose names begin so are for pulling images: nodes have them, and no job. */
export const REGISTRY_SECRET_PREFIX = 'registry-auth';

export const isRegistrySecret = (key: string): boolean => key.startsWith(REGISTRY_SECRET_PREFIX);
