/** The user who may write, in every service of the machine. */
export const WRITER = 'admin';
/** The index that packages are uploaded to and installed from. */
export const INDEX = 'site';
/** Ports of the machine's own loopback. */
export const LOOPBACK = { registry: 5000, tokens: 5001, charts: 5002, packages: 3141 } as const;
/** Where clients of the registry get tokens. */
export const TOKEN_PATH = '/registry/token';
