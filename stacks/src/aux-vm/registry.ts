import { createHash } from 'node:crypto';
import { REGISTRY_ISSUER, REGISTRY_SERVICE } from '@delos/core';
import type { PartProps } from '../machine/part.ts';
import type { AuxVmConfig } from './config.ts';
import type { Programs } from './programs.ts';
import type { AuxVmSecrets } from './secrets.ts';
import { secretsOf, serviceUnit } from './unit.ts';
import { LOOPBACK, TOKEN_PATH, WRITER } from './words.ts';

const NAME = 'delos-registry';
const TOKENS = 'delos-registry-tokens';

/** Who may write, as depot reads it: the password's digest. */
const usersFile = (password: string): string => `${WRITER}:${createHash('sha256').update(password).digest('hex')}\n`;

/** The registry of images and charts: whoever reaches it may pull, the writer may push. */
export function registryPart(
  { registry }: AuxVmConfig,
  secrets: AuxVmSecrets & { readonly keys: string },
  programs: Programs,
): PartProps {
  const etc = '/etc/delos-aux/registry';
  const opt = '/opt/delos-aux/registry';
  return {
    name: 'registry',
    files: {
      [`${opt}/registry`]: programs.file('registry'),
      [`${opt}/depot`]: programs.file('depot'),
      [`${etc}/config.yml`]: { mode: 0o600, content: { text: settings(secrets.registrySecret) } },
      [`${etc}/keys.json`]: { mode: 0o644, content: { text: secrets.keys } },
      [`${etc}/token-key.pem`]: { mode: 0o600, content: { text: secrets.tokenKey } },
      [`${etc}/users`]: { mode: 0o600, content: { text: usersFile(secrets.password) } },
    },
    units: [
      serviceUnit({
        name: TOKENS,
        idea: 'Delos: tokens for clients of the registry',
        exec: `${opt}/depot tokens`,
        port: LOOPBACK.tokens,
        secrets: { key: `${etc}/token-key.pem`, users: `${etc}/users` },
        environment: {
          DEPOT_LISTEN: `127.0.0.1:${LOOPBACK.tokens}`,
          DEPOT_KEY: '%d/key',
          DEPOT_USERS: '%d/users',
          DEPOT_ISSUER: REGISTRY_ISSUER,
          DEPOT_SERVICE: REGISTRY_SERVICE,
        },
        reads: [`${opt}/depot`],
        memory: '64M',
      }),
      serviceUnit({
        name: NAME,
        idea: 'Delos: registry of images and charts',
        exec: `${opt}/registry serve ${secretsOf(NAME)}/config`,
        port: LOOPBACK.registry,
        data: true,
        secrets: { config: `${etc}/config.yml` },
        environment: { OTEL_TRACES_EXPORTER: 'none' },
        reads: [`${opt}/registry`, `${etc}/keys.json`],
        memory: registry.memory,
      }),
    ],
    data: [`/var/lib/private/${NAME}`, `/var/lib/${NAME}`],
  };
}

/** Settings of distribution 3. @see https://distribution.github.io/distribution/about/configuration/ */
const settings = (secret: string): string => `version: 0.1
log:
  level: warn
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: /var/lib/${NAME}
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
    realm: https://localhost${TOKEN_PATH}
    autoredirect: true
    autoredirectpath: ${TOKEN_PATH}
    service: ${REGISTRY_SERVICE}
    issuer: ${REGISTRY_ISSUER}
    jwks: /etc/delos-aux/registry/keys.json
    signingalgorithms: [ES256]
http:
  addr: 127.0.0.1:${LOOPBACK.registry}
  relativeurls: true
  draintimeout: 10s
  secret: "${secret}"
  headers:
    X-Content-Type-Options: [nosniff]
`;

const CHARTS = 'delos-charts';

/** The repository of charts: an index, archives, and the API that `helm cm-push` uploads to. */
export function chartsPart({ charts }: AuxVmConfig, secrets: AuxVmSecrets, programs: Programs): PartProps {
  const etc = '/etc/delos-aux/charts';
  const opt = '/opt/delos-aux/charts';
  return {
    name: 'charts',
    files: {
      [`${opt}/depot`]: programs.file('depot'),
      [`${etc}/users`]: { mode: 0o600, content: { text: usersFile(secrets.password) } },
    },
    units: [
      serviceUnit({
        name: CHARTS,
        idea: 'Delos: repository of Helm charts',
        exec: `${opt}/depot charts`,
        port: LOOPBACK.charts,
        data: true,
        secrets: { users: `${etc}/users` },
        environment: {
          DEPOT_LISTEN: `127.0.0.1:${LOOPBACK.charts}`,
          DEPOT_CHARTS: `/var/lib/${CHARTS}/charts`,
          DEPOT_USERS: '%d/users',
        },
        reads: [`${opt}/depot`],
        memory: charts.memory,
      }),
    ],
    data: [`/var/lib/private/${CHARTS}`, `/var/lib/${CHARTS}`],
  };
}
