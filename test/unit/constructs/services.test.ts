import { CATALOGUE } from '@delos/artifacts';
import { SERVICES } from '@delos/constructs';
import { SERVICE_USERS } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { generatedPart } from '../../support/house/generated-part.ts';
import { kindOf, platformOf, workloadsOf } from './synthesized.ts';

const platform = platformOf();
const workloads = workloadsOf(platform);
const named = SERVICES.map((service) => [service.name, service] as const);
const onlyOnce = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

test('services differ in name and in user', () => {
  expect(onlyOnce(SERVICES.map(({ name }) => name))).toBe(true);
  expect(onlyOnce(SERVICES.map(({ user }) => user))).toBe(true);
});

test('no user is an account of a person, and no add-on of the node has the same', () => {
  const ours = SERVICES.map(({ user }) => user);
  for (const user of ours) expect(user).toBeGreaterThan(60_577);
  const addOns = [SERVICE_USERS.coredns, SERVICE_USERS['local-path-provisioner'], SERVICE_USERS['metrics-server']];
  expect(ours.filter((user) => addOns.some((other) => other === user))).toEqual([]);
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
