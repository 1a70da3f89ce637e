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
}

/**
 * Settings of distribution 3 that each registry of ours has: where blobs lie, and whose tokens it takes. The realm follows the host
 * that a client asks by, so that nodes may know the registry by another one. There is no cache of what blobs there are: what a
 * collection of garbage has removed would still seem to be there.
 * @see https://distribution.github.io/distribution/about/configuration/
 */
export const registryStore = ({ folder, origin, tokenPath, keys }: RegistryStore): string => `storage:
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
  token:
    realm: ${origin}${tokenPath}
    autoredirect: true
    autoredirectpath: ${tokenPath}
    service: ${REGISTRY_SERVICE}
    issuer: ${REGISTRY_ISSUER}
    jwks: ${keys}
    signingalgorithms: [ES256]
`;
