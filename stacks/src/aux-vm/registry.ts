import { createHash } from 'node:crypto';
import { REGISTRY_ISSUER, REGISTRY_SERVICE, registryStore } from '@delos/core';
import type { PartProps } from '../machine/part.ts';
import type { AuxVmConfig } from './config.ts';
import type { Programs } from './programs.ts';
import type { AuxVmSecrets } from './secrets.ts';
import { secretsOf, serviceUnit } from './unit.ts';
import { LOOPBACK, TOKEN_PATH, WRITER } from './words.ts';

const NAME = 'delos-registry';
const TOKENS = 'delos-registry-tokens';
const ETC = '/etc/delos-aux/registry';
const KEYS = `${ETC}/keys.json`;

/** Who may write, as depot reads it: the password's digest. */
const usersFile = (password: string): string => `${WRITER}:${createHash('sha256').update(password).digest('hex')}\n`;

/** The registry of images and charts: whoever reaches it may pull, the writer may push. */
export function registryPart(
  { registry }: AuxVmConfig,
  secrets: AuxVmSecrets & { readonly keys: string },
  programs: Programs,
): PartProps {
  const opt = '/opt/delos-aux/registry';
  return {
    name: 'registry',
    files: {
      [`${opt}/registry`]: programs.file('registry'),
      [`${opt}/depot`]: programs.file('depot'),
      [`${ETC}/config.yml`]: { mode: 0o600, content: { text: settings(secrets.registrySecret) } },
      [KEYS]: { mode: 0o644, content: { text: secrets.keys } },
      [`${ETC}/token-key.pem`]: { mode: 0o600, content: { text: secrets.tokenKey } },
      [`${ETC}/users`]: { mode: 0o600, content: { text: usersFile(secrets.password) } },
    },
    units: [
      serviceUnit({
        name: TOKENS,
        idea: 'Delos: tokens for clients of the registry',
        exec: `${opt}/depot tokens`,
        port: LOOPBACK.tokens,
        secrets: { key: `${ETC}/token-key.pem`, users: `${ETC}/users` },
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
        secrets: { config: `${ETC}/config.yml` },
        environment: { OTEL_TRACES_EXPORTER: 'none' },
        reads: [`${opt}/registry`, KEYS],
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
${registryStore({ folder: `/var/lib/${NAME}`, origin: 'https://localhost', tokenPath: TOKEN_PATH, keys: KEYS })}http:
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
