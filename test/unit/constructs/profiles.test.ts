import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  engineContext,
  PROFILE_KEYS,
  PROFILES,
  parseConfig,
  SERVICES,
  sectionName,
  servicesOf,
  synthesize,
  withFileStorage,
} from '@delos/constructs';
import { configTemplate, isDelosError, type ProfileName, quantityOf, quantityOr0 } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { delosConfig } from '../../../constructs/src/config.ts';
import { REPOSITORY } from '../../support/docs/compiler.ts';
import { generatedPart } from '../../support/house/generated-part.ts';
import { kindOf, platformOf, type Workload, workloadsOf } from './synthesized.ts';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** What `ha` asks for: a site's own PostgreSQL and Keycloak. */
const HA = `
profile: ha
services:
  postgres:
    external:
      host: 10.20.0.5
      databases:
        delos: {password: {secret: {name: ours, key: delos}}}
        keycloak: {password: {secret: {name: ours, key: keycloak}}}
  devpi: {enabled: false}
`;
const yamlOf: Readonly<Record<ProfileName, string>> = { small: '', medium: 'profile: medium', ha: HA };
/** Nodes without the control plane. */
const AWAY = {
  weight: 100,
  preference: { matchExpressions: [{ key: 'node-role.kubernetes.io/control-plane', operator: 'DoesNotExist' }] },
};
const securityOf = z.object({ sysctls: z.array(z.object({ name: z.string(), value: z.string() })) });
const names = Object.keys(PROFILES) as readonly ProfileName[];

/** The value at a dotted path. */
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((here, key) => z.looseObject({}).parse(here)[key], value);

/** Values that a file may have there. */
const OTHER: Readonly<Record<string, readonly [yaml: string, parsed: unknown]>> = {
  enabled: ['false', false],
  storage: ['60Gi', 60 * GIB],
  replicas: ['3', 3],
  keepDays: ['7', 7],
  projectLimit: ['5Gi', 5 * GIB],
  totalLimit: ['9Gi', 9 * GIB],
  resources: ['{cpu: 1.5, memory: 1100Mi, memoryLimit: 4Gi}', { cpu: 1.5, memory: 1100 * MIB, memoryLimit: 4 * GIB }],
};
const lastOf = (path: string): string => path.split('.').at(-1) ?? '';

const requests = ({ pod }: Pick<Workload, 'pod'>, what: 'cpu' | 'memory'): number => {
  const of = (containers: Workload['pod']['containers']): readonly number[] =>
    containers.map(({ resources }) => quantityOr0(resources.requests[what]));
  // Steps run one after another, before the others.
  return Math.max(
    ...of(pod.initContainers),
    of(pod.containers).reduce((sum, each) => sum + each, 0),
  );
};

describe('a profile', () => {
  test('is small where the file names none', () => {
    expect(parseConfig('', 'delos.yaml')).toEqual(parseConfig('profile: small', 'delos.yaml'));
    expect(parseConfig('', 'delos.yaml').profile).toBe('small');
  });

  test('that there is not is refused, with the nearest', () => {
    expect(() => parseConfig('profile: medum', 'delos.yaml')).toThrow(
      'expected one of small, medium, ha, found "medum"',
    );
  });

  test.each(names.filter((name) => name !== 'small'))('%s fills in each key of its table', (name) => {
    const config = parseConfig(yamlOf[name], 'delos.yaml');
    const filled = [...PROFILE_KEYS].filter((path) => has(PROFILES[name], path));
    expect(filled.length).toBeGreaterThan(10);
    for (const path of filled) {
      const [wanted, got] = [at(PROFILES[name], path), at(config, path)];
      expect(written(got), path).toEqual(written(wanted));
    }
  });

  test.each(names.flatMap((name) => [...PROFILE_KEYS].map((path) => [name, path] as const)))(
    '%s: the file overrides %s',
    (name, path) => {
      const [yaml, parsed] = OTHER[lastOf(path)] ?? [];
      if (yaml === undefined) throw new Error(`no other value of ${path} is given here`);
      const keys = path.split('.');
      const base: Record<string, unknown> = (parse(yamlOf[name]) as Record<string, unknown> | null) ?? {};
      // A larger limit of all logs is asked for with a larger volume, and a smaller one with smaller parts.
      if (path === 'logs.totalLimit') base.logs = { projectLimit: '1Gi' };
      if (path === 'logs.projectLimit') base.logs = { totalLimit: '8Gi' };
      const text = JSON.stringify(put(base, keys, parse(yaml)));
      expect(at(parseConfig(text, 'delos.yaml'), path)).toEqual(parsed);
    },
  );

  test('given to a command stands in place of the file’s own', () => {
    const medium = parseConfig('profile: small', 'delos.yaml', 'medium');
    expect(medium).toEqual(parseConfig('profile: medium', 'delos.yaml'));
    expect(parseConfig('services: {devpi: {storage: 3Gi}}', 'f', 'medium').services.devpi).toMatchObject({
      storage: 3 * GIB,
    });
  });

  test('is no part of what services read, so that another one rolls only what it changes', () => {
    const kept = (yaml: string): unknown => {
      const map = kindOf(platformOf(yaml), 'ConfigMap').find(({ manifest }) => manifest.metadata.name === 'platform');
      return map?.manifest.data;
    };
    const same = 'logs: {projectLimit: 10Gi, totalLimit: 30Gi, keepDays: 90}\nservices: {postgres: {storage: 50Gi}}';
    expect(kept('profile: medium')).toEqual(kept(same));
  });

  test('stays the file’s to choose: `init` writes no value of a key that profiles fill in', () => {
    const text = configTemplate(delosConfig, (path) => PROFILE_KEYS.has(path));
    for (const name of ['medium'] as const) {
      expect(parseConfig(text.replace('profile: small', `profile: ${name}`), 'delos.yaml')).toEqual(
        parseConfig(`profile: ${name}`, 'delos.yaml'),
      );
    }
    expect(text).toContain('# storage: 10Gi  # Size of its volume, when that is made');
  });
});

describe('the profile small', () => {
  /** Peak in MiB of the embedded node's own parts and add-ons, as docs/benchmarks.md has it. */
  const [, peak = ''] =
    /^The embedded node's own parts and add-ons: (\d+) MiB at most/m.exec(
      readFileSync(join(REPOSITORY, 'docs/benchmarks.md'), 'utf8'),
    ) ?? [];
  const workloads = workloadsOf(platformOf());

  test('asks for under 2 GiB of memory and under half a core, so that the node’s own parts fit beside it within 4 GiB', () => {
    const memory = workloads.reduce((sum, each) => sum + requests(each, 'memory'), 0);
    const cpu = workloads.reduce((sum, each) => sum + requests(each, 'cpu'), 0);
    const config = withFileStorage(parseConfig('', 'delos.yaml'), '/srv/files');
    expect(workloads).toHaveLength(servicesOf(config, SERVICES).length);
    expect(memory).toBeLessThanOrEqual(2 * GIB);
    expect(cpu).toBeLessThanOrEqual(0.5);
    expect(Number(peak)).toBeGreaterThan(1_000);
    expect(memory + Number(peak) * MIB).toBeLessThanOrEqual(4 * GIB);
  });

  test('runs one Pod of each service', () => {
    expect(workloads.map(({ replicas = 1 }) => replicas)).toEqual(workloads.map(() => 1));
  });
});

describe('the profile ha', () => {
  const { objects } = platformOf(HA, 'existing');
  const workloads = workloadsOf({ objects });

  test('refuses what would go with a lost node, and says what to set', () => {
    const refusal = (yaml: string): string => {
      try {
        parseConfig(yaml, 'delos.yaml');
      } catch (error) {
        if (isDelosError(error)) return `${error.where?.line}:${error.where?.field} ${error.message}`;
        throw error;
      }
      return 'accepted';
    };
    expect(refusal('profile: ha')).toBe(
      '1:profile ha goes on when any node is lost, and devpi (it runs once, on one volume) would not: set ' +
        '`services.devpi.enabled: false`, or use medium',
    );
    expect(refusal('profile: ha\nservices: {keycloak: {replicas: 1}, devpi: {enabled: false}}')).toContain(
      'keycloak (it runs once, and its Pod is not moved while its node is lost) would not: set ' +
        '`services.keycloak.replicas: 2`',
    );
    expect(refusal('profile: ha\nservices: {postgres: {replicas: 1}}')).toContain('`services.postgres.replicas: 3`');
    expect(refusal(HA.replace('enabled: false', 'enabled: true'))).toContain(
      'and devpi (it runs once, on one volume) would not: set `services.devpi.enabled: false`, or use medium',
    );
    expect(refusal(HA)).toBe('accepted');
  });

  test('runs two of each service that can run more than once, on two nodes', () => {
    const twice = workloads.filter(({ replicas }) => replicas === 2);
    expect(twice.map(({ name }) => name).sort()).toEqual([
      'control-api',
      'gateway',
      'job-router',
      'keycloak',
      'scheduler',
    ]);
    for (const { pod } of twice) {
      expect(pod.topologySpreadConstraints).toContainEqual(
        expect.objectContaining({
          topologyKey: 'kubernetes.io/hostname',
          maxSkew: 1,
          whenUnsatisfiable: 'DoNotSchedule',
        }),
      );
    }
  });

  test('each of these lets a node be drained, one Pod at a time', () => {
    const budgets = kindOf({ objects }, 'PodDisruptionBudget').map(({ manifest }) => manifest);
    for (const { name, selector } of workloads.filter(({ replicas }) => replicas === 2)) {
      expect(budgets.find(({ metadata }) => metadata.name === name)?.spec).toEqual({
        selector: { matchLabels: selector },
        maxUnavailable: 1,
      });
    }
  });

  test('what runs more than once keeps away from the control plane, where it can', () => {
    const affinity = { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [AWAY] } };
    for (const { name, pod } of workloads.filter(({ replicas = 1 }) => replicas > 1)) {
      expect(pod, name).toMatchObject({ affinity });
    }
  });

  test('a Keycloak that is lost with its node is noticed within 20 s by the other', () => {
    const keycloak = workloads.find(({ name }) => name === 'keycloak')?.pod;
    const { sysctls } = securityOf.parse(keycloak?.securityContext);
    const of = (what: string): number =>
      Number(sysctls.find(({ name }) => name === `net.ipv4.tcp_keepalive_${what}`)?.value);
    expect(of('time') + of('probes') * of('intvl')).toBeLessThanOrEqual(20);
    // Rows of the lost one, which outlive it for a minute, do not keep users from the other.
    const { readinessProbe } = z.looseObject({}).parse(keycloak?.containers[0]);
    expect(readinessProbe).toMatchObject({ httpGet: { path: '/auth/realms/master', port: 'http' } });
  });

  test('Keycloak waits less than 20 s for a primary that is lost with its node, and probes its connections at rest', () => {
    const keycloak = workloads.find(({ name }) => name === 'keycloak')?.pod;
    const { env } = z
      .looseObject({ env: z.array(z.object({ name: z.string(), value: z.string().optional() }).loose()) })
      .parse(keycloak?.containers[0]);
    const of = (wanted: string): string => env.find(({ name }) => name === wanted)?.value ?? '';
    expect(Number.parseInt(of('KC_TRANSACTION_DEFAULT_TIMEOUT'), 10)).toBeLessThan(20);
    expect(of('KC_DB_URL_PROPERTIES')).toMatch(/[?&]tcpKeepAlive=true/);
  });

  test('with a node that is lost no Pod waits long for names', () => {
    for (const { pod } of workloads) {
      expect(pod.dnsConfig).toMatchObject({
        options: expect.arrayContaining([{ name: 'timeout', value: '1' }]) as unknown,
      });
    }
  });

  test('no Deployment waits longer than half a minute for a lost node', () => {
    const deployments = workloads.filter(({ object }) => object.manifest.kind === 'Deployment');
    expect(deployments.length).toBeGreaterThan(3);
    for (const { pod } of deployments) {
      for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
        expect(pod.tolerations).toContainEqual(expect.objectContaining({ key, tolerationSeconds: 30 }));
      }
    }
  });
});

test('logs may not take more than the volume that they lie on', () => {
  expect(() => parseConfig('services: {postgres: {storage: 5Gi}}', 'f')).toThrow(
    'it must be less than `services.postgres.storage` (5Gi), since logs lie in PostgreSQL',
  );
});

test('docs/guides/profiles.md shows the profiles', async () => {
  const configs = names.map((name) => parseConfig(yamlOf[name], 'delos.yaml'));
  const cell = (value: unknown): string => {
    const { cpu, memory, memoryLimit } = z.looseObject({}).safeParse(value).data ?? {};
    if (cpu !== undefined) return `${String(cpu)} cores, ${shown(memory)}, at most ${shown(memoryLimit)}`;
    return shown(value);
  };
  const shown = (value: unknown): string =>
    typeof value === 'number' && value > 10_000 ? String(quantityOf(value)) : String(value ?? false);
  const keys = [
    ...['logs.projectLimit', 'logs.totalLimit', 'logs.keepDays'],
    ...SERVICES.flatMap((service) =>
      ['enabled', 'replicas', 'storage', 'resources'].map((key) => `services.${sectionName(service)}.${key}`),
    ).filter((path) => (path.endsWith('.enabled') ? PROFILE_KEYS.has(path) : has(configs[0], path))),
  ];
  expect([...PROFILE_KEYS].filter((path) => !keys.includes(path))).toEqual([]);
  const rows = keys.map((path) => `| \`${path}\` | ${configs.map((config) => cell(at(config, path))).join(' | ')} |`);
  const table = ['| key | `small` | `medium` | `ha` |', '| --- | --- | --- | --- |', ...rows];
  const { file, expected } = generatedPart('docs/guides/profiles.md', 'profiles', table.join('\n'));
  await expect(expected).toMatchFileSnapshot(file);
});

test('a profile is synthesized for each engine', () => {
  for (const name of names) {
    for (const engine of ['embedded', 'kind', 'existing']) {
      const config = parseConfig(yamlOf[name], 'delos.yaml');
      expect(synthesize(config, engineContext(config, engine)).objects.length).toBeGreaterThan(30);
    }
  }
});

/** Quantities as bytes, cores as numbers, whichever way they are written. */
function written(value: unknown): unknown {
  if (typeof value === 'string') return quantityOr0(value);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, written(inner)]));
}

function has(value: unknown, path: string): boolean {
  const [key = '', ...rest] = path.split('.');
  const mapping = z.looseObject({}).safeParse(value).data;
  if (mapping === undefined || !Object.hasOwn(mapping, key)) return false;
  return rest.length === 0 || has(mapping[key], rest.join('.'));
}

/** The mapping with something else at a path. */
function put(value: unknown, [key = '', ...rest]: readonly string[], leaf: unknown): unknown {
  const mapping = z.looseObject({}).safeParse(value).data ?? {};
  return { ...mapping, [key]: rest.length === 0 ? leaf : put(mapping[key], rest, leaf) };
}
