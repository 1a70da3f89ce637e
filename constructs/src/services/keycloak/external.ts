import type { IdentitySpec } from '@delos/core';
import type { Peer } from '../../base/connections.ts';
import type { Identity } from '../../base/identity.ts';
import type { SecretKey } from '../../base/secret.ts';

/** A Keycloak that is there already. */
export interface ExternalKeycloakProps {
  /** Where users reach it, its path included: `https://sso.example.com/auth`. No trailing slash. */
  readonly url: string;
  /** Where services inside the cluster reach it. @default `url` */
  readonly internalUrl?: string;
  /** The realm that the platform makes in it. */
  readonly realm: IdentitySpec;
  /** Secret of the client `delos-operator` of the realm `master`. */
  readonly admin: SecretKey;
  /** Who has signed the certificate of `internalUrl`, in PEM. @default a public authority */
  readonly authority?: SecretKey;
  /** Its addresses or Pods, as NetworkPolicies name them. A policy knows no host names. */
  readonly peer: Extract<Peer, { readonly kind: 'addresses' | 'pods' }>;
}

/** URL of a Keycloak, its path included. */
export const KEYCLOAK_URL = /^https?:\/\/[^/?#]+(\/[^?#]*[^/?#])?$/;

/** @throws Error for a URL that is none, or that ends with a slash */
export function externalKeycloak(props: ExternalKeycloakProps): Identity {
  const { url, internalUrl = url, realm, admin, authority, peer } = props;
  for (const each of [url, internalUrl]) {
    if (KEYCLOAK_URL.test(each) && URL.canParse(each)) continue;
    throw new Error(
      `${JSON.stringify(each)} is no URL of a Keycloak: expected https://HOST[:PORT][/PATH], no slash at the end`,
    );
  }
  return {
    realm,
    issuer: `${url}/realms/${realm.realm}`,
    jwksUrl: `${internalUrl}/realms/${realm.realm}/protocol/openid-connect/certs`,
    internalUrl,
    admin,
    ...(authority === undefined ? {} : { authority }),
    peer,
  };
}
