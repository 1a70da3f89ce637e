import type { EntraProvider, OidcProvider, SamlProvider } from './config/identity/broker.ts';
import type { DirectoryProvider } from './config/identity/directory.ts';
import type { IdentityProviders } from './config/identity/index.ts';
import type { SecretReference } from './config/secret-reference.ts';
import { ENTRA_URL } from './words/identity-names.ts';

/** One provider, with its kind and its place in the file. */
export type Provider = { readonly path: readonly (string | number)[] } & (
  | { readonly kind: 'ldap'; readonly settings: DirectoryProvider }
  | { readonly kind: 'activeDirectory'; readonly settings: DirectoryProvider }
  | { readonly kind: 'oidc'; readonly settings: OidcProvider }
  | { readonly kind: 'entra'; readonly settings: EntraProvider }
  | { readonly kind: 'saml'; readonly settings: SamlProvider }
);

/** All providers of a configuration, of all kinds. */
export function providersOf({ ldap, activeDirectory, oidc, entra, saml }: IdentityProviders): readonly Provider[] {
  const at = (kind: string, index: number) => ['identity', kind, index];
  return [
    ...ldap.map((settings, index) => ({ kind: 'ldap' as const, settings, path: at('ldap', index) })),
    ...activeDirectory.map((settings, index) => ({
      kind: 'activeDirectory' as const,
      settings,
      path: at('activeDirectory', index),
    })),
    ...oidc.map((settings, index) => ({ kind: 'oidc' as const, settings, path: at('oidc', index) })),
    ...entra.map((settings, index) => ({ kind: 'entra' as const, settings, path: at('entra', index) })),
    ...saml.map((settings, index) => ({ kind: 'saml' as const, settings, path: at('saml', index) })),
  ];
}

/** Where the secret of a provider is that Keycloak shows it; undefined where it needs none. */
export function providerSecret(provider: Provider): SecretReference | undefined {
  switch (provider.kind) {
    case 'ldap':
    case 'activeDirectory':
      return provider.settings.bindPassword;
    case 'oidc':
    case 'entra':
      return provider.settings.clientSecret;
    case 'saml':
      return undefined;
  }
}

/** True where Keycloak asks the provider itself; else people bring its word along at a login. */
export const isDirectory = ({ kind }: Pick<Provider, 'kind'>): boolean => kind === 'ldap' || kind === 'activeDirectory';

/** Where Keycloak reaches a provider. */
export function providerUrlOf(provider: Provider): string {
  switch (provider.kind) {
    case 'ldap':
    case 'activeDirectory':
      return provider.settings.url;
    case 'oidc':
      return provider.settings.issuer;
    case 'entra':
      return ENTRA_URL;
    case 'saml':
      return provider.settings.metadataUrl;
  }
}
