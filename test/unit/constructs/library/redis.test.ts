import {
  cacheEnv,
  cacheSecrets,
  delosConfig,
  engineContext,
  mounted,
  Namespace,
  objectOf,
  Platform,
  Redis,
  redis,
  replaced,
  SERVICES,
  Secret,
  type ServiceDescriptor,
  synthOf,
  Workload,
  without,
} from '@delos/constructs';
import { quantityOr0 } from '@delos/core';
import { App, Chart } from 'cdk8s';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { restrictedFaults } from '../pod-security.ts';

const config = delosConfig.parse({ domain: 'ai.example.com' });
const context = engineContext(config, 'existing');
const access = { commands: ['get', 'set'], keys: ['limits:*'] };

let app: App;
let chart: Chart;
let namespace: Namespace;
beforeEach(() => {
  app = new App();
  chart = new Chart(app, 'chart');
  namespace = new Namespace(chart, 'lab');
});

const client = (id: string): Workload =>
  new Workload(chart, id, {
    namespace,
    image: 'registry.example/app:1',
    command: ['/app'],
    user: 61_000,
    ports: { http: 8080 },
    runs: { kind: 'deployment', replicas: 1 },
    resources: { cpu: '10m', memory: '16Mi', memoryLimit: '32Mi' },
  });

const filesOf = (name = 'redis'): Readonly<Record<string, string>> =>
  z.record(z.string(), z.string()).parse(objectOf(synthOf(chart), 'ConfigMap', name).manifest.data);
const pods = (name: string) => ({ podSelector: { matchLabels: { 'app.kubernetes.io/name': name } } });

describe('a user of a Redis', () => {
  test('comes with its connection, its Secret and its peer, and both policies have the connection', () => {
    const user = new Redis(chart, 'redis', { namespace }).user('reports', access);
    client('reports').reach(user.peer);
    client('stranger');
    const synthesis = synthOf(chart);
    expect(objectOf(synthesis, 'Secret', 'redis-reports').secrets).toEqual({
      password: { kind: 'password', length: 48, rotation: { kind: 'overlap' } },
    });
    expect(objectOf(synthesis, 'NetworkPolicy', 'redis').manifest.spec).toMatchObject({
      ingress: [{ from: [pods('reports')], ports: [{ port: 6379, protocol: 'TCP' }] }],
    });
    expect(cacheEnv(user).map(({ name, value }) => `${name}=${value}`)).toEqual([
      'REDIS_HOST=redis.lab.svc.cluster.local',
      'REDIS_PORT=6379',
      'REDIS_USERNAME=reports',
      'REDIS_PASSWORD_FILE=/etc/delos-secrets/redis-reports/password',
    ]);
    expect(filesOf().users).toBe('reports ~limits:* +get +set\n');
  });

  test('is the same when it is asked for twice, and never has other rights', () => {
    const server = new Redis(chart, 'redis', { namespace });
    expect(server.user('reports', access)).toBe(server.user('reports', { ...access }));
    expect(() => server.user('reports', { ...access, keys: ['usage:*'] })).toThrow('has the user reports with other');
  });

  test.each(['config', 'flushall', 'keys', 'acl', 'scan', 'client', 'function', 'publish', 'client|kill'])(
    'never has the command %s',
    (command) => {
      const server = new Redis(chart, 'redis', { namespace });
      expect(() => server.user('reports', { ...access, commands: [command] })).toThrow(
        `reports: a user of a cache never has the command ${command}`,
      );
    },
  );

  test.each([
    ['default', access, 'no user of a cache can be named "default"'],
    ['a b', access, 'no user of a cache can be named "a b"'],
    ['a', { ...access, commands: ['@all'] }, 'a: "@all" is no command of a cache'],
    ['a', { ...access, commands: ['get +flushall'] }, 'a: "get +flushall" is no command'],
    ['a', { ...access, keys: ['*'] }, 'a: "*" is no beginning of keys'],
    ['a', { ...access, keys: ['a:* +@all'] }, 'is no beginning of keys'],
    ['a', { ...access, keys: ['limits'] }, 'a: "limits" is no beginning of keys'],
  ])('named %s with %j is refused', (name, asked, message) => {
    expect(() => new Redis(chart, 'redis', { namespace }).user(name, asked)).toThrow(message);
  });
});

describe('a Redis', () => {
  test('has no volume, and less for values than its container may use', () => {
    const resources = { cpu: '20m', memory: '64Mi', memoryLimit: '128Mi' };
    new Redis(chart, 'redis', { namespace, resources }).user('reports', access);
    const maximum = Number(/^maxmemory (\d+)$/m.exec(filesOf()['redis.conf'] ?? '')?.[1]);
    expect(maximum).toBeGreaterThan(2 ** 20);
    expect(maximum).toBeLessThan(quantityOr0(resources.memoryLimit) * 0.7);
    const { spec } = objectOf(synthOf(chart), 'Deployment', 'redis').manifest;
    const { template } = z.object({ template: z.object({ spec: z.looseObject({}) }) }).parse(spec);
    expect(restrictedFaults(template.spec)).toEqual([]);
    expect(JSON.stringify(template)).not.toMatch(/persistentVolumeClaim|hostPath/);
  });

  test('lives beside another in one namespace', () => {
    for (const id of ['first', 'second']) new Redis(chart, id, { namespace }).user('reports', access);
    const { objects } = synthOf(chart);
    const secrets = objects.filter(({ manifest }) => manifest.kind === 'Secret').map(({ manifest }) => manifest);
    expect(secrets.map(({ metadata }) => metadata.name)).toEqual(['first-reports', 'second-reports']);
  });

  test('that is there already is reached by its address, over TLS, with the Secrets that are there', () => {
    const secret = Secret.external({ namespace, name: 'our-cache' });
    const user = Redis.external({
      host: 'cache.example.com',
      port: 6380,
      tls: { authority: { secret, key: 'ca.crt' } },
      peer: { kind: 'addresses', addresses: ['203.0.113.9'], ports: [6380] },
      users: { reports: { user: 'reporter', password: { secret, key: 'pw' } } },
    }).user('reports', access);
    expect(cacheSecrets(user)).toEqual([secret]);
    expect(mounted(secret).path).toBe('/etc/delos-secrets/our-cache');
    expect(cacheEnv(user).map(({ name, value }) => `${name}=${value}`)).toEqual([
      'REDIS_HOST=cache.example.com',
      'REDIS_PORT=6380',
      'REDIS_USERNAME=reporter',
      'REDIS_PASSWORD_FILE=/etc/delos-secrets/our-cache/pw',
      'REDIS_TLS=true',
      'REDIS_CA_FILE=/etc/delos-secrets/our-cache/ca.crt',
    ]);
  });

  test('that is there already has the users of its list', () => {
    const server = Redis.external({
      host: '10.20.0.6',
      peer: { kind: 'addresses', addresses: ['10.20.0.6'], ports: [6379] },
      users: {},
    });
    expect(() => server.user('constructor', access)).toThrow('has no user constructor; listed are: none');
  });
});

describe('a service of the platform that uses its cache', () => {
  const seen: (string | undefined)[] = [];
  const notes = (asked: typeof access | undefined): ServiceDescriptor => ({
    name: 'notes',
    idea: 'notes: what people write down',
    image: 'registry.example/notes:1.0',
    config: z.strictObject({}),
    user: 61_000,
    resources: { cpu: '10m', memory: '16Mi', memoryLimit: '32Mi' },
    ...(asked === undefined ? {} : { cache: asked }),
    build: (_scope, { cache }) => {
      seen.push(cache?.host);
      return {};
    },
  });
  beforeEach(() => seen.splice(0));
  const build = (services: readonly ServiceDescriptor[]) =>
    new Platform(app, 'platform', { config, context, services });

  test('has a user there, by its name', () => {
    const platform = build([...SERVICES, notes(access)]);
    expect(seen).toEqual(['redis.delos.svc.cluster.local']);
    expect(objectOf(synthOf(platform), 'Secret', 'redis-notes').secrets).toHaveProperty('password');
  });

  test('has none where it asks for none', () => {
    build([...SERVICES, notes(undefined)]);
    expect(seen).toEqual([undefined]);
  });

  test('has none where the list has no cache, and is built all the same', () => {
    build([...without(SERVICES, redis), notes(access)]);
    expect(seen).toEqual([undefined]);
  });

  test('has one of the site’s own cache where that takes the place', () => {
    const services = replaced(SERVICES, redis, (_scope, at) => {
      const password = { secret: Secret.external({ namespace: at.namespace, name: 'our-cache' }), key: 'password' };
      const peer = { kind: 'addresses', addresses: ['10.20.0.6'], ports: [6379] } as const;
      const users = { notes: { password }, 'control-api': { password } };
      return { cache: Redis.external({ host: '10.20.0.6', peer, users }) };
    });
    build([...services, notes(access)]);
    expect(seen).toEqual(['10.20.0.6']);
  });
});
