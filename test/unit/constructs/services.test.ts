import { CATALOGUE } from '@delos/artifacts';
import { SERVICES } from '@delos/constructs';
import { ADDON_USERS, PART_USERS } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { generatedPart } from '../../support/house/generated-part.ts';
import { EVERY_SERVICE, kindOf, platformOf, workloadsOf } from './synthesized.ts';

const platform = platformOf(EVERY_SERVICE);
const workloads = workloadsOf(platform);
const named = SERVICES.map((service) => [service.name, service] as const);
const onlyOnce = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

test('no two services have one name', () => {
  expect(onlyOnce(SERVICES.map(({ name }) => name))).toBe(true);
});

test('no two parts share a user, and no person, dynamic user or user namespace has it', () => {
  const users = [...SERVICES.map(({ user }) => user), ...Object.values(ADDON_USERS)];
  expect(onlyOnce(users)).toBe(true);
  for (const user of users) {
    expect(user).toBeGreaterThanOrEqual(PART_USERS.first);
    expect(user).toBeLessThanOrEqual(PART_USERS.last);
  }
  expect(PART_USERS).toEqual({ first: 60578, last: 61183 });
});

test('docs/architecture.md shows the list', async () => {
  const rows = SERVICES.map(({ name, idea, image, onNodes, resources: { cpu, memory, memoryLimit } }) => {
    const place = onNodes === true ? 'every node' : 'platform';
    return `| \`${name}\` | ${idea} | ${image} | ${place} | ${cpu} | ${memory}, at most ${memoryLimit} |`;
  });
  const table = [
    '| service | what it is | image | runs on | CPU | memory |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ];
  const { file, expected } = generatedPart('docs/architecture.md', 'services', table.join('\n'));
  await expect(expected).toMatchFileSnapshot(file);
});

describe.each(named)('%s', (name, service) => {
  const workload = workloads.find((each) => each.name === name);

  test('an empty section of delos.yaml is valid', () => {
    expect(service.config.safeParse({}).success).toBe(true);
  });

  test('its image is in the catalogue', () => {
    expect(CATALOGUE.map((image) => image.name)).toContain(service.image);
  });

  test('its Pods have the user and the resources of its descriptor', () => {
    const [container] = workload?.pod.containers ?? [];
    const { cpu, memory, memoryLimit } = service.resources;
    expect(container?.resources).toEqual({ requests: { cpu, memory }, limits: { memory: memoryLimit } });
    expect(workload?.pod).toMatchObject({ securityContext: { runAsUser: service.user } });
  });

  test('its idea is one sentence without a full stop', () => {
    expect(service.idea).toMatch(/^\S.{10,90}[^.]$/);
  });

  test('a database that it names has a Secret with its password', () => {
    const secrets = kindOf(platform, 'Secret').map(({ manifest }) => manifest.metadata.name);
    if (service.database !== undefined) expect(secrets).toContain(`postgres-${service.database}`);
  });
});
