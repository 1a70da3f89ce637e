import { engineContext, objectOf, parseConfig, savedServices, serviceImages, synthesize } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { prepareScript, reconcileScript } from '../../../constructs/src/services/postgres/files.ts';
import { restrictedFaults } from './pod-security.ts';
import { kindOf, platformOf, workloadsOf } from './synthesized.ts';

const THREE = 'services: {postgres: {replicas: 3}}';
/** As `ha` has them: with a Keycloak of the site, since ours dies with its node. */
const HA = `
profile: ha
services:
  keycloak:
    external: {url: 'https://sso.example.com', addresses: [203.0.113.7], admin: {secret: {name: ours, key: sso}}}
  devpi: {enabled: false}
`;
const platform = platformOf(THREE, 'existing');
const ha = platformOf(HA, 'existing');
const manifestOf = (kind: string, name: string, synthesis = platform) =>
  objectOf(synthesis, kind, name, 'delos').manifest;
const files = z.record(z.string(), z.string()).parse(manifestOf('ConfigMap', 'postgres').data);
const settings = z
  .object({
    dynamic: z.looseObject({ ttl: z.number(), loop_wait: z.number(), retry_timeout: z.number() }),
    local: z.looseObject({ scope: z.string() }),
  })
  .parse(JSON.parse(files['patroni.json'] ?? ''));

describe('three members of PostgreSQL', () => {
  test('each has a volume and, in ha, a node of its own; a drain takes one at a time', () => {
    expect(manifestOf('StatefulSet', 'postgres', ha).spec).toMatchObject({
      replicas: 3,
      // A lost one must not keep the others from starting.
      podManagementPolicy: 'Parallel',
      volumeClaimTemplates: [{ metadata: { name: 'data' } }],
      template: {
        spec: {
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }],
            },
          },
        },
      },
    });
    expect(manifestOf('PodDisruptionBudget', 'postgres', ha).spec).toMatchObject({ maxUnavailable: 1 });
  });

  test('run under Pod Security restricted, with passwords as files alone', () => {
    const pod = workloadsOf(platform).find(({ name }) => name === 'postgres')?.pod;
    expect(restrictedFaults(pod)).toEqual([]);
    const secrets = pod?.volumes.flatMap(({ secret }) => secret?.secretName ?? []);
    expect(secrets?.sort()).toEqual(
      ['admin', 'delos', 'keycloak', 'patroni', 'replicator', 'rewinder'].map((name) => `postgres-${name}`),
    );
    expect(pod?.containers[0]?.env.map(({ name }) => name)).toEqual(['PGDATA', 'POD_NAME', 'POD_NAMESPACE', 'POD_IP']);
  });

  test('have a successor of the primary in time, and a primary knows in time that it is none', () => {
    const { ttl, loop_wait, retry_timeout } = settings.dynamic;
    expect(ttl + loop_wait).toBeLessThan(30);
    expect(loop_wait + 2 * retry_timeout).toBeLessThanOrEqual(ttl);
    expect(settings.dynamic).toMatchObject({ synchronous_mode: 'quorum', failsafe_mode: true });
  });

  test('are reached at the primary, which no selector chooses', () => {
    expect(manifestOf('Service', settings.local.scope).spec).not.toHaveProperty('selector');
    const hosts = workloadsOf(platform).flatMap(({ pod }) =>
      [...pod.initContainers, ...pod.containers].flatMap(({ env }) =>
        env.filter(({ name }) => name === 'PGHOST' || name === 'KC_DB_URL_HOST').map(({ value }) => value),
      ),
    );
    expect(new Set(hosts)).toEqual(new Set(['postgres-primary.delos.svc.cluster.local']));
    // Kubernetes removes Endpoints without a Service.
    for (const kept of ['config', 'failover', 'sync']) {
      expect(manifestOf('Service', `postgres-primary-${kept}`).spec).toEqual({ clusterIP: 'None' });
    }
  });

  test('may change what they agree on, and their own Pods, and nothing else', () => {
    const { rules } = z
      .looseObject({
        rules: z.array(
          z.object({
            apiGroups: z.tuple([z.literal('')]),
            resources: z.array(z.string()),
            verbs: z.array(z.string()),
            resourceNames: z.array(z.string()).optional(),
          }),
        ),
      })
      .parse(manifestOf('Role', 'postgres'));
    for (const { resources, verbs, resourceNames } of rules) {
      expect(['endpoints', 'pods']).toContain(resources.join());
      if (resourceNames === undefined) expect(['create', 'list', 'watch']).toEqual(expect.arrayContaining(verbs));
      else for (const name of resourceNames) expect(name).toMatch(/^postgres-(primary(-\w+)?|[0-2])$/);
    }
  });

  test('reach each other and the Kubernetes API, and nobody else reaches the port at which they agree', () => {
    const spec = z
      .looseObject({ ingress: z.array(z.looseObject({})), egress: z.array(z.looseObject({})) })
      .parse(manifestOf('NetworkPolicy', 'postgres').spec);
    const own = { podSelector: { matchLabels: { 'app.kubernetes.io/name': 'postgres' } } };
    const both = [5432, 8008].map((port) => ({ port, protocol: 'TCP' }));
    expect(spec.egress).toEqual([
      { to: [{ ipBlock: { cidr: '192.0.2.1/32' } }], ports: [{ port: 6443, protocol: 'TCP' }] },
      { to: [own], ports: both },
    ]);
    const open = spec.ingress.filter((rule) => JSON.stringify(rule).includes('8008'));
    expect(open).toEqual([
      { from: [own], ports: both },
      {
        from: [{ podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } } }],
        ports: [{ port: 8008, protocol: 'TCP' }],
      },
    ]);
  });

  test('let in roles of members where these have something to do, and the superuser over no network', () => {
    const hba = (files['pg_hba.conf'] ?? '').split('\n').map((line) => line.split(/ +/).slice(0, 4).join(' '));
    const at = (line: string): number => hba.indexOf(line);
    expect(at('host all postgres all')).toBeGreaterThan(0);
    expect(at('host replication replicator all')).toBeGreaterThan(0);
    expect(at('host all replicator all')).toBeLessThan(at('host all all all'));
    expect(files['pg_hba.conf']).toMatch(/host +all +replicator +all +reject/);
    expect(files['pg_hba.conf']).toMatch(/host +all +rewinder +all +reject/);
  });

  test('a database that takes a name of theirs is refused', () => {
    for (const name of ['replicator', 'rewinder', 'patroni']) {
      expect(() => prepareScript({ databases: [name] })).toThrow('no database can be named');
      expect(() => reconcileScript({ databases: [name] })).toThrow('no database can be named');
    }
  });

  test('have an image of their own, and the other is not made', () => {
    expect(serviceImages(parseConfig(THREE, 'f')).unwanted).toContain('postgres');
    expect(serviceImages(parseConfig(THREE, 'f')).unwanted).not.toContain('patroni');
  });

  test('are backed up from any of them, as the same PostgreSQL', () => {
    const saved = (yaml: string) => savedServices(parseConfig(yaml, 'f')).find(({ name }) => name === 'postgres');
    expect(saved(THREE)?.pods).toEqual(['postgres-0', 'postgres-1', 'postgres-2']);
    expect(saved('')?.pods).toEqual(['postgres-0']);
    expect(saved(THREE)?.version.split('.')[0]).toBe(saved('')?.version.split('.')[0]);
  });
});

test('one PostgreSQL asks nothing of the Kubernetes API', () => {
  const alone = platformOf('');
  expect(kindOf(alone, 'Role').filter(({ manifest }) => manifest.metadata.name === 'postgres')).toEqual([]);
  const config = parseConfig('', 'f');
  const { manifest } = objectOf(
    synthesize(config, engineContext(config, 'embedded')),
    'StatefulSet',
    'postgres',
    'delos',
  );
  expect(JSON.stringify(manifest)).not.toMatch(/patroni|affinity|Parallel/);
});

test.each([0, 2, 5])('%i members are refused', (replicas) => {
  expect(() => parseConfig(`services: {postgres: {replicas: ${replicas}}}`, 'f')).toThrow('expected 1 or 3');
});
