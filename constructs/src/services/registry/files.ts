import { REGISTRY_TOKEN_PATH, registryStore } from '@delos/core';
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
 * @param keys file of the keys that check tokens
 * @see https://distribution.github.io/distribution/about/configuration/
 */
export const settings = (publicUrl: string, keys: string): string => `version: 0.1
log:
  level: info
  formatter: json
  accesslog:
    disabled: true
${registryStore({ folder: DATA, origin: publicUrl, tokenPath: REGISTRY_TOKEN_PATH, keys })}health:
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
