/** Secrets whose names begin so are for pulling images: nodes have them, and no job. */
export const REGISTRY_SECRET_PREFIX = 'registry-auth';
/** Of these, those of their owner: all jobs of that user are pulled by them, in whatever project, and nobody else's. */
export const USER_REGISTRY_SECRET_PREFIX = 'registry-auth-user';
/** Of these, those of the cluster, which administrators alone write: all jobs are pulled by them. */
export const CLUSTER_REGISTRY_SECRET_PREFIX = 'registry-auth-cluster';

export const isRegistrySecret = (key: string): boolean => key.startsWith(REGISTRY_SECRET_PREFIX);

const has = (key: string, prefix: string): boolean => key === prefix || key.startsWith(`${prefix}-`);

export const isUserRegistrySecret = (key: string): boolean => has(key, USER_REGISTRY_SECRET_PREFIX);

export const isClusterRegistrySecret = (key: string): boolean => has(key, CLUSTER_REGISTRY_SECRET_PREFIX);
