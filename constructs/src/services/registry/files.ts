import { REGISTRY_TOKEN_PATH, registryStore } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import { PORTS } from '../../base/names.ts';
import { env } from '../../base/secret-folder.ts';
import type { DelosConfig } from '../../delos-config.ts';
import { IMAGE_REGISTRY_PORT } from '../control-api/image-registry.ts';
import type { RegistrySection } from './section.ts';

/** Where files of the ConfigMap are mounted. */
export const CONFIG = '/etc/delos-registry';
/** Where the volume is mounted. */
export const DATA = '/var/lib/registry';
/** In memory: the socket of the program's commands. */
export const RUN = '/run/registry';
/** Folder of ours on the volume. Its file `lock` is held by a collection of unused blobs, and by a backup, which reads names before blobs. */
export const OWN = 'delos';

/**
 * The settings of distribution 3.
 * @param keys file of the keys that check tokens
 * @see https://distribution.github.io/distribution/about/configuration/
 */
export const settings = (publicUrl: string, keys: string): string => `version: 0.1
log:
  level: info
  formatter: json
  accesslog:
    disabled: true
${registryStore({ folder: DATA, origin: publicUrl, tokenPath: REGISTRY_TOKEN_PATH, keys, auth: 'delos-token' })}middleware:
  repository:
    - name: delos
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
http:
  addr: :${IMAGE_REGISTRY_PORT}
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

const DAY_SECONDS = 86_400;
/** What no image needs is kept for so long after it was last asked for: a push may take hours until its manifest comes. */
const GRACE_SECONDS = DAY_SECONDS;
const COLLECT_SECONDS = DAY_SECONDS / 4;
const LIMITS = 'limits.json';

/**
 * What the program reads beside distribution's settings.
 * @param secret file of the secret that signs where an upload stands, so that one goes on after a restart
 */
export const variables = (
  { projectLimit, keepUntaggedDays }: RegistrySection,
  secret: string,
): readonly k8s.EnvVar[] => [
  env('DELOS_IMAGES_ROOT', DATA),
  env('DELOS_IMAGES_SOCKET', `${RUN}/collect.sock`),
  env('DELOS_IMAGES_SECRET_FILE', secret),
  env('DELOS_IMAGES_GRACE_SECONDS', String(GRACE_SECONDS)),
  env('DELOS_IMAGES_COLLECT_SECONDS', String(COLLECT_SECONDS)),
  env('DELOS_IMAGES_KEEP_UNTAGGED_SECONDS', String(keepUntaggedDays * DAY_SECONDS)),
  env('DELOS_IMAGES_PROJECT_LIMIT', String(projectLimit ?? 0)),
  env('DELOS_IMAGES_LIMITS_FILE', `${CONFIG}/${LIMITS}`),
];

/** Limits of the projects that have one of their own, in bytes. */
export const limitsFile = (organizations: DelosConfig['organizations']): Readonly<Record<string, string>> => ({
  [LIMITS]: `${JSON.stringify(
    Object.fromEntries(
      organizations.flatMap(({ name: org, projects }) =>
        projects.flatMap(({ name, images: { limit } }) => (limit === undefined ? [] : [[`${org}/${name}`, limit]])),
      ),
    ),
  )}\n`,
});
