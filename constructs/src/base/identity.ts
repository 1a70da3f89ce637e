import type { IdentitySpec } from '@delos/core';
import type { Peer } from './connections.ts';
import type { SecretKey } from './secret.ts';

/** Who may log in, as the control API sees it: a realm of {@link Keycloak}, or {@link Keycloak.external}. */
export interface Identity {
  /** The realm as code. The control API makes it and keeps it. */
  readonly realm: IdentitySpec;
  /** Where users see the realm: the `iss` of its tokens. No trailing slash. */
  readonly issuer: string;
  /** Keys that the realm signs with, for services inside the cluster. */
  readonly jwksUrl: string;
  /** Keycloak itself, for services inside the cluster. No trailing slash. */
  readonly internalUrl: string;
  /** Secret of the client `delos-operator` of Keycloak's realm `master`, which may manage realms. */
  readonly admin: SecretKey;
  /** Who has signed its certificate, in PEM, where that is no public authority. @default a public one, or no TLS */
  readonly authority?: SecretKey;
  /** To be reached by services that sign in to it. */
  readonly peer: Peer;
}
