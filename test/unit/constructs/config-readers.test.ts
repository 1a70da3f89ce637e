import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseConfig } from '@delos/constructs';
import type { PlatformConfig } from '@delos/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { NOT_FOR_SERVICES, platformSettings } from '../../../constructs/src/services/control-api/platform-settings.ts';
import { readPlatformConfig } from '../../../runtime/service/src/platform-config.ts';
import { configReaders } from '../../support/docs/config-readers.ts';
import { ROOMS } from '../../support/house/rooms.ts';

describe('each key of delos.yaml has a reader', () => {
  let readers: ReadonlyMap<string, ReadonlySet<string>>;
  beforeAll(() => {
    readers = configReaders();
  }, 180_000);
  const readBy = (path: string): readonly string[] => [...(readers.get(path) ?? [])].sort();

  test('no key is read by nobody', () => {
    expect(readers.size).toBeGreaterThan(100);
    expect([...readers.keys()].filter((path) => readBy(path).length === 0)).toEqual([]);
  });

  test('the search for readers finds who reads a key, and finds nobody for a room that does not', () => {
    expect(readBy('scheduling.minRunSeconds')).toEqual(['scheduler']);
    expect(readBy('nodePools[].labels')).toEqual(['clouds', 'cluster']);
    expect(readBy('cluster.context')).toEqual(['cli', 'cluster']);
    expect(readBy('services.agent.replicas')).toEqual(['constructs']);
    expect(readBy('users[].email')).toEqual(['core']);
    expect(readBy('services.devpi.enabled')).toEqual(['constructs']);
    expect(readBy('services.redis.external.tls.authority')).toEqual(['constructs']);
  });

  test('a key that the services read is not left out of their file', () => {
    const leftOut = [...readers.keys()].filter((path) =>
      NOT_FOR_SERVICES.some((excluded) => path === excluded || path.startsWith(`${excluded}.`)),
    );
    expect(leftOut.length).toBeGreaterThan(NOT_FOR_SERVICES.length);
    const ofServices = ROOMS.filter(({ path }) => path.startsWith('runtime/')).map(({ name }) => name);
    expect(ofServices.length).toBeGreaterThan(5);
    expect(leftOut.filter((path) => readBy(path).some((room) => ofServices.includes(room)))).toEqual([]);
  });

  test('each key that is left out of the services’ file is one of the schema', () => {
    expect(NOT_FOR_SERVICES.filter((path) => !readers.has(path))).toEqual([]);
  });
});

/** The file of the services, read as they read it. */
async function servicesRead(config: PlatformConfig): Promise<PlatformConfig> {
  const folder = await mkdtemp(join(tmpdir(), 'delos-config-'));
  try {
    await writeFile(join(folder, 'platform.json'), platformSettings(config));
    return await readPlatformConfig(join(folder, 'platform.json'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** No key has its default, so that one that does not arrive is seen. */
const EVERY_KEY = `
domain: ai.example.org
profile: medium
cluster: { engine: existing, name: north, context: mine, storageClass: fast }
admin: { user: root-admin, email: root@example.org }
users: [{ name: ann, email: ann@example.org }]
images: { source: local, registry: registry.example.org/delos, standIns: false }
gateway: { httpPort: 81, httpsPort: 444, http: 'on' }
nodePools:
  - name: gpus
    minSize: 2
    maxSize: 3
    cpu: 64
    memory: 512Gi
    disk: 1Ti
    nvidiaGpu: { count: 8, model: H100, memory: 80Gi }
    fakeGpus: true
    labels: { rack: r1 }
    preemptible: true
presets:
  - name: large
    cpu: 8
    memory: 64Gi
    nvidiaGpu: { count: 1, model: H100, memory: 80Gi }
    creditsPerHour: '2.5'
    pools: [gpus]
    preemptible: true
    security: restricted
organizations:
  - name: acme
    quota: { runningJobs: 9, cpu: 90, memory: 900Gi, gpu: 8 }
    weight: 2
    guarantee: { runningJobs: 2, cpu: 8, memory: 64Gi, gpu: 2 }
    limit: { runningJobs: 8, cpu: 80, memory: 800Gi, gpu: 7 }
    projects:
      - name: one
        privileged: true
        weight: 3
        members: [{ user: ann, role: reader, weight: 4 }]
scheduling: { minRunSeconds: 600 }
services:
  controlApi: { replicas: 2 }
  scheduler: { replicas: 3 }
  agent: { replicas: 0 }
  gateway: { replicas: 5 }
`;

test('services read each key as it stands in delos.yaml, but for those that the list leaves out', async () => {
  const { services, ...written } = parseConfig(EVERY_KEY, 'delos.yaml');
  expect(services).toMatchObject({ agent: { replicas: 0 } });
  const defaults = parseConfig('', 'delos.yaml');
  expect(await servicesRead(written)).toEqual({
    ...written,
    profile: defaults.profile,
    cluster: { ...defaults.cluster, name: written.cluster.name },
    images: defaults.images,
    gateway: defaults.gateway,
  });
});

test('a changed number of replicas changes nothing that services read', () => {
  const more = EVERY_KEY.replaceAll(/replicas: [^0]/g, 'replicas: 7').replace('replicas: 0', 'replicas: 1');
  expect(more).not.toBe(EVERY_KEY);
  expect(platformSettings(parseConfig(more, 'f'))).toBe(platformSettings(parseConfig(EVERY_KEY, 'f')));
});

test('settings of equal content are the same text, whatever the order of their keys', () => {
  const turned = EVERY_KEY.trim()
    .split(/\n(?=\w)/)
    .reverse()
    .join('\n');
  expect(platformSettings(parseConfig(turned, 'f'))).toBe(platformSettings(parseConfig(EVERY_KEY, 'f')));
});
