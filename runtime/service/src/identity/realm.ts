import { type IdentitySpec, ISSUER_CLIENT } from '@delos/core';
import type { Json } from './converge.ts';

/*
 * What the realm shall be, in Keycloak's own representations. Terminology: the *issuer* is a client that trades an
 * assertion, signed by the platform, for a token of any user (RFC 7523): how `delos token` makes tokens that are like
 * any other. Its assertions are trusted through an identity provider of Keycloak, the *operator*.
 */

type Representation = Readonly<Record<string, Json | undefined>>;

const DAY = 86_400;

export const OPERATOR_ALIAS = 'operator';
export const OPERATOR_ISSUER = 'https://operator.delos.internal';
export const OPERATOR_KEY_ID = 'operator';
/** Client scope with the claims that the platform reads. */
export const CLAIMS_SCOPE = 'delos';
/** Group of the users that the configuration names; the account of one that it no longer names is deleted. */
export const CONFIGURED_GROUP = 'configured';
/** Longest token that is issued. */
export const MAX_TOKEN_SECONDS = 10 * 365 * DAY;

/** The realm that an issuer's URL names, at a Keycloak that is reached by another URL from here. */
export const realmUrlOf = (keycloak: string, issuer: string): string =>
  `${keycloak}/realms/${issuer.split('/').at(-1) ?? ''}`;

export function realmRepresentation(spec: IdentitySpec): Representation {
  return {
    realm: spec.realm,
    enabled: true,
    displayName: spec.displayName,
    sslRequired: spec.requireTls ? 'external' : 'none',
    registrationAllowed: false,
    resetPasswordAllowed: false,
    editUsernameAllowed: false,
    loginWithEmailAllowed: true,
    duplicateEmailsAllowed: false,
    rememberMe: true,
    // Locks an account for everybody, so it is the last line: no single source can fail that often, since the
    // control API stops it at 10. It is for guesses from many sources at once.
    bruteForceProtected: true,
    permanentLockout: false,
    failureFactor: 300,
    maxDeltaTimeSeconds: 3600,
    waitIncrementSeconds: 60,
    maxFailureWaitSeconds: 60,
    quickLoginCheckMilliSeconds: 0,
    minimumQuickLoginWaitSeconds: 0,
    passwordPolicy: 'length(12) and notUsername(undefined)',
    defaultSignatureAlgorithm: 'RS256',
    accessTokenLifespan: spec.accessTokenLifespan,
    ssoSessionIdleTimeout: 12 * 3600,
    ssoSessionMaxLifespan: 30 * DAY,
    // The client keeps its first refresh token for ever and may use it from several processes at once.
    revokeRefreshToken: false,
    offlineSessionIdleTimeout: 180 * DAY,
    offlineSessionMaxLifespanEnabled: false,
    eventsEnabled: true,
    eventsExpiration: 90 * DAY,
    adminEventsEnabled: true,
    adminEventsDetailsEnabled: false,
  };
}

/** Few, short claims: the token travels in a header of every request. */
export function claimsScope(spec: IdentitySpec): Representation & { readonly protocolMappers: readonly Json[] } {
  return {
    name: CLAIMS_SCOPE,
    description: 'Claims that the platform reads',
    protocol: 'openid-connect',
    attributes: { 'include.in.token.scope': 'false', 'display.on.consent.screen': 'false' },
    protocolMappers: [
      {
        name: 'identity',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-usermodel-attribute-mapper',
        config: {
          'user.attribute': 'username',
          'claim.name': 'identity',
          'jsonType.label': 'String',
          'access.token.claim': 'true',
          'id.token.claim': 'true',
          'userinfo.token.claim': 'true',
          'introspection.token.claim': 'true',
        },
      },
      {
        name: 'audience',
        protocol: 'openid-connect',
        protocolMapper: 'oidc-audience-mapper',
        config: {
          'included.custom.audience': spec.audience,
          'access.token.claim': 'true',
          'id.token.claim': 'false',
          'introspection.token.claim': 'true',
        },
      },
    ],
  };
}

const DEFAULT_SCOPES = ['basic', CLAIMS_SCOPE];
const OPTIONAL_SCOPES = ['offline_access'];

/** Which client scopes a client has; Keycloak takes them at creation alone, later by calls of their own. */
export const CLIENT_SCOPES = { default: DEFAULT_SCOPES, optional: OPTIONAL_SCOPES } as const;

/** A client that anybody can be, so that it has no secret: authorization code with PKCE (RFC 7636), and no other way in. */
const publicClient = (
  id: string,
  name: string,
  redirectUris: readonly string[],
  attributes: Readonly<Record<string, string>>,
): Representation => ({
  clientId: id,
  name,
  enabled: true,
  publicClient: true,
  standardFlowEnabled: true,
  implicitFlowEnabled: false,
  directAccessGrantsEnabled: false,
  serviceAccountsEnabled: false,
  fullScopeAllowed: false,
  consentRequired: false,
  redirectUris,
  webOrigins: [],
  attributes: { 'pkce.code.challenge.method': 'S256', ...attributes },
});

export const cliClient = ({ client }: IdentitySpec): Representation =>
  publicClient(client.id, 'Command line client', client.redirectUris, { 'post.logout.redirect.uris': '+' });

/** Marks clients that are ours to remove. */
export const LOGIN_ATTRIBUTE = 'dev.delos.login';

/** Clients of services that people log in to by a browser. */
export const loginClients = ({ logins }: IdentitySpec): readonly Representation[] =>
  logins.map(({ id, title, redirectUris }) => publicClient(id, title, redirectUris, { [LOGIN_ATTRIBUTE]: 'true' }));

export function issuerClient(secret: string): Representation {
  return {
    clientId: ISSUER_CLIENT,
    name: 'Tokens issued by the operator',
    enabled: true,
    publicClient: false,
    clientAuthenticatorType: 'client-secret',
    secret,
    standardFlowEnabled: false,
    implicitFlowEnabled: false,
    directAccessGrantsEnabled: false,
    serviceAccountsEnabled: false,
    fullScopeAllowed: false,
    redirectUris: [],
    webOrigins: [],
    attributes: {
      // Above every assertion's own end, which is what limits the token.
      'access.token.lifespan': String(MAX_TOKEN_SECONDS),
      'oauth2.jwt.authorization.grant.enabled': 'true',
      'oauth2.jwt.authorization.grant.idp': OPERATOR_ALIAS,
    },
  };
}

export function operatorProvider(publicKey: string): Representation {
  return {
    alias: OPERATOR_ALIAS,
    displayName: 'Operator',
    providerId: 'jwt-authorization-grant',
    enabled: true,
    hideOnLogin: true,
    config: {
      issuer: OPERATOR_ISSUER,
      useJwksUrl: 'false',
      validateSignature: 'true',
      publicKeySignatureVerifier: publicKey,
      publicKeySignatureVerifierKeyId: OPERATOR_KEY_ID,
      jwtAuthorizationGrantEnabled: 'true',
      jwtAuthorizationGrantAssertionSignatureAlg: 'EdDSA',
      jwtAuthorizationGrantAssertionReuseAllowed: 'false',
      jwtAuthorizationGrantLimitAccessTokenExp: 'true',
      jwtAuthorizationGrantMaxAllowedAssertionExpiration: String(MAX_TOKEN_SECONDS + 3600),
    },
  };
}
