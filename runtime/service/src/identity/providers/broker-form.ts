import { ENTRA_URL, type EntraProvider, groupName, type OidcProvider, type SamlProvider } from '@delos/core';
import { groupPath } from './groups.ts';

/*
 * A broker in Keycloak's own representations: an identity provider of the realm, and its mappers. They are carried out at
 * every login of its users (FORCE), so that a group that was left is left here too.
 */

export type BrokerKind = 'oidc' | 'entra' | 'saml';
export type Broker =
  | { readonly kind: 'oidc'; readonly settings: OidcProvider }
  | { readonly kind: 'entra'; readonly settings: EntraProvider }
  | { readonly kind: 'saml'; readonly settings: SamlProvider };

/** The login of somebody who comes for the first time: an account is made where name and address are nobody's, and nothing is asked. */
export const FIRST_LOGIN_FLOW = 'delos first broker login';

type Config = Readonly<Record<string, string>>;

export interface BrokerMapper {
  readonly name: string;
  readonly identityProviderAlias: string;
  readonly identityProviderMapper: string;
  readonly config: Config;
}

/** What `import-config` of Keycloak reads where the provider itself says how it is reached. */
export const importOf = (broker: Broker): { readonly providerId: string; readonly fromUrl: string } | undefined => {
  switch (broker.kind) {
    case 'oidc':
      return {
        providerId: 'oidc',
        fromUrl: `${broker.settings.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
      };
    case 'saml':
      return { providerId: 'saml', fromUrl: broker.settings.metadataUrl };
    case 'entra':
      return undefined;
  }
};

/** Keys of what a provider says of itself that are taken over. */
const TAKEN_OVER = {
  oidc: ['authorizationUrl', 'tokenUrl', 'jwksUrl', 'userInfoUrl'],
  saml: [
    'singleSignOnServiceUrl',
    'signingCertificate',
    'idpEntityId',
    'postBindingResponse',
    'postBindingAuthnRequest',
  ],
} as const;

/** @param said what the provider says of itself, by `import-config` */
export function brokerForm(broker: Broker, said: Config) {
  const { name, title } = broker.settings;
  return {
    alias: name,
    displayName: title ?? name,
    providerId: broker.kind === 'saml' ? 'saml' : 'oidc',
    enabled: true,
    hideOnLogin: false,
    linkOnly: false,
    storeToken: false,
    addReadTokenRoleOnCreate: false,
    // An address that a provider names is not one that somebody has shown to be theirs, and links no accounts.
    trustEmail: false,
    firstBrokerLoginFlowAlias: FIRST_LOGIN_FLOW,
    postBrokerLoginFlowAlias: '',
    config: configOf(broker, said),
  };
}

function configOf(broker: Broker, said: Config): Config {
  switch (broker.kind) {
    case 'oidc':
      return {
        ...picked(said, TAKEN_OVER.oidc),
        issuer: broker.settings.issuer,
        clientId: broker.settings.clientId,
        defaultScope: broker.settings.scopes.join(' '),
        ...OIDC,
      };
    case 'entra': {
      const base = `${ENTRA_URL}/${broker.settings.tenant}`;
      return {
        authorizationUrl: `${base}/oauth2/v2.0/authorize`,
        tokenUrl: `${base}/oauth2/v2.0/token`,
        jwksUrl: `${base}/discovery/v2.0/keys`,
        userInfoUrl: 'https://graph.microsoft.com/oidc/userinfo',
        // Tokens of another tenant have another issuer, and are refused.
        issuer: `${base}/v2.0`,
        clientId: broker.settings.clientId,
        defaultScope: 'openid profile email',
        ...OIDC,
      };
    }
    case 'saml':
      return {
        ...picked(said, TAKEN_OVER.saml),
        validateSignature: 'true',
        wantAssertionsSigned: 'true',
        wantAuthnRequestsSigned: 'true',
        signatureAlgorithm: 'RSA_SHA256',
        nameIDPolicyFormat: 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified',
        principalType: broker.settings.userName === undefined ? 'SUBJECT' : 'ATTRIBUTE',
        principalAttribute: broker.settings.userName ?? '',
        allowCreate: 'true',
        syncMode: 'FORCE',
      };
  }
}

const OIDC: Config = {
  clientAuthMethod: 'client_secret_post',
  validateSignature: 'true',
  useJwksUrl: 'true',
  pkceEnabled: 'true',
  pkceMethod: 'S256',
  disableUserInfo: 'true',
  backchannelSupported: 'false',
  isAccessTokenJWT: 'false',
  syncMode: 'FORCE',
};

const picked = (from: Config, keys: readonly string[]): Config =>
  Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])));

export function brokerMappers(broker: Broker): readonly BrokerMapper[] {
  const { name, groups } = broker.settings;
  const mapper = (title: string, identityProviderMapper: string, config: Config): BrokerMapper => ({
    name: title,
    identityProviderAlias: name,
    identityProviderMapper,
    config: { syncMode: 'FORCE', ...config },
  });
  const names = [...new Set(groups.map(({ group }) => groupName(group)))].sort();
  if (broker.kind === 'saml') {
    const { userName, email, groupsAttribute } = broker.settings;
    const template = userName === undefined ? `\${NAMEID | localpart}` : `\${ATTRIBUTE.${userName} | localpart}`;
    return [
      mapper('name', 'saml-username-idp-mapper', { template, target: 'LOCAL' }),
      mapper('email', 'saml-user-attribute-idp-mapper', { 'attribute.name': email, 'user.attribute': 'email' }),
      ...names.map((group) =>
        mapper(`group ${group}`, 'saml-advanced-group-idp-mapper', {
          attributes: JSON.stringify([{ key: groupsAttribute, value: group }]),
          'are.attribute.values.regex': 'false',
          group: groupPath(name, group),
        }),
      ),
    ];
  }
  const userName = broker.kind === 'oidc' ? broker.settings.userName : 'preferred_username';
  const claim = broker.kind === 'oidc' ? broker.settings.groupsClaim : 'groups';
  return [
    mapper('name', 'oidc-username-idp-mapper', { template: `\${CLAIM.${userName} | localpart}`, target: 'LOCAL' }),
    ...names.map((group) =>
      mapper(`group ${group}`, 'oidc-advanced-group-idp-mapper', {
        claims: JSON.stringify([{ key: claim, value: group }]),
        'are.claim.values.regex': 'false',
        group: groupPath(name, group),
      }),
    ),
  ];
}
