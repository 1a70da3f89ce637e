/*
 * Names in the realm of the identity provider.
 */

/** The realm, where Keycloak is ours. */
export const REALM = 'delos';
/** Keycloak's path at the gateway. */
export const IDENTITY_PATH = '/auth';
/** The realm's path at the gateway. */
export const REALM_PATH = `${IDENTITY_PATH}/realms/${REALM}`;
/** The official client: the client that people log in by, and the audience of its tokens. */
export const CLIENT_ID = 'apolo';
/** The client that trades an assertion of the platform for a token of any user. */
export const ISSUER_CLIENT = 'delos-issuer';
/** The client, of the realm `master`, by which the platform keeps the realm. */
export const OPERATOR_CLIENT = 'delos-operator';
/** Where the login of a client without a browser ends. */
export const HEADLESS_PATH = '/api/v1/headless';
/** Where Microsoft Entra ID is. */
export const ENTRA_URL = 'https://login.microsoftonline.com';
