/*
 * What the registry of images and the control API, which issues its tokens, must say alike.
 */

/** Claim `iss` of the registry's tokens. */
export const REGISTRY_ISSUER = 'delos';
/** Claim `aud` of the registry's tokens, and the `service` that clients ask a token for. */
export const REGISTRY_SERVICE = 'delos-registry';
/** Paths of the API that the registry's tokens come from. */
export const REGISTRY_TOKENS = '/api/v1/registry';
/** Where clients get a token. @see https://distribution.github.io/distribution/spec/auth/token/ */
export const REGISTRY_TOKEN_PATH = `${REGISTRY_TOKENS}/token`;
/** Where the gateway asks about requests that show a token of the platform itself. */
export const REGISTRY_AUTHORIZE_PATH = `${REGISTRY_TOKENS}/authorize`;
/** The registry's own paths. */
export const REGISTRY_PATH = '/v2';
/** The list of repositories, which the control API answers. */
export const REGISTRY_CATALOG_PATH = `${REGISTRY_PATH}/_catalog`;
