import { REGISTRY_ISSUER, REGISTRY_SERVICE, REGISTRY_TOKEN_PATH } from '@delos/core';
import { PORTS } from '../../base/names.ts';

/** Where files of the ConfigMap are mounted. */
export const CONFIG = '/etc/delos-registry';
/** Where the volume is mounted. */
export const DATA = '/var/lib/registry';
/** In memory: the settings with their secret. */
export const RUN = '/run/registry';
/** Port of its API. */
export const REGISTRY_PORT = 5000;

/**
 * The settings of distribution 3. The section `http` is the last one, so that {@link START} can add the secret to it.
 *
 * No cache of what blobs there are: what a collection of garbage has removed would still seem to be there. The realm follows the
 * host that a client asks by, so that nodes may know the platform by another one.
 * @param keys file of the keys that check tokens
 * @see https://distribution.github.io/distribution/about/configuration/
 */
export const settings = (publicUrl: string, keys: string): string => `version: 0.1
log:
  level: info
  formatter: json
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: ${DATA}
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
    realm: ${publicUrl}${REGISTRY_TOKEN_PATH}
    autoredirect: true
    autoredirectpath: ${REGISTRY_TOKEN_PATH}
    service: ${REGISTRY_SERVICE}
    issuer: ${REGISTRY_ISSUER}
    jwks: ${keys}
    signingalgorithms: [ES256]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
http:
  addr: :${REGISTRY_PORT}
  relativeurls: true
  draintimeout: 15s
  headers:
    X-Content-Type-Options: [nosniff]
  debug:
    addr: :${PORTS.internal}
    prometheus:
      enabled: true
      path: /metrics
`;

/**
 * Writes the settings with their secret into memory, and becomes the server. The secret signs where an upload stands, so that one
 * goes on after a restart. `REGISTRY_CONFIG`, `REGISTRY_SECRET` and `REGISTRY_RUN` name other places.
 */
export const startScript = (secret: string): string => `#!/bin/sh
set -eu
umask 077
config=\${REGISTRY_CONFIG:-${CONFIG}}
file=\${REGISTRY_SECRET:-${secret}}
run=\${REGISTRY_RUN:-${RUN}}
read -r secret <"$file" || [ -n "$secret" ]
{
  cat "$config/config.yml"
  printf '  secret: "%s"\\n' "$secret"
} >"$run/config.yml"
exec registry serve "$run/config.yml"
`;
