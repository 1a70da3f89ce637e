import { REGISTRY_ISSUER, REGISTRY_SERVICE } from './words/registry-names.ts';

/** How one registry differs from another. */
export interface RegistryStore {
  /** Folder of its blobs. */
  readonly folder: string;
  /** Origin that tokens are asked for at, where a client's own does not tell. No trailing slash. */
  readonly origin: string;
  /** Path of tokens. */
  readonly tokenPath: string;
  /** File of the keys that check tokens. */
  readonly keys: string;
  /** How tokens are checked: `delos-token` reads the keys anew, and is our own program's. @default `token`, distribution's */
  readonly auth?: 'token' | 'delos-token';
}

/**
 * Settings of distribution 3 that each registry of ours has: where blobs lie, and whose tokens it takes. The realm follows the host
 * that a client asks by, so that nodes may know the registry by another one. There is no cache of what blobs there are: what a
 * collection of garbage has removed would still seem to be there.
 * @see https://distribution.github.io/distribution/about/configuration/
 */
export const registryStore = ({ folder, origin, tokenPath, keys, auth = 'token' }: RegistryStore): string => `storage:
  filesystem:
    rootdirectory: ${folder}
  delete:
    enabled: true
  redirect:
    disable: true
  maintenance:
    uploadpurging:
      enabled: true
      age: 168h
      interval: 24h
      dryrun: false
auth:
  ${auth}:
    realm: ${origin}${tokenPath}
    autoredirect: true
    autoredirectpath: ${tokenPath}
    service: ${REGISTRY_SERVICE}
    issuer: ${REGISTRY_ISSUER}
    jwks: ${keys}
    signingalgorithms: [ES256]
`;
