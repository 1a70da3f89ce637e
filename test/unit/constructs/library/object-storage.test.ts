import {
  bucketEnv,
  bucketSecrets,
  engineContext,
  mounted,
  Namespace,
  ObjectStorage,
  objectOf,
  Platform,
  parseConfig,
  SERVICES,
  Secret,
  type ServiceDescriptor,
  synthOf,
  Workload,
} from '@delos/constructs';
import { App, Chart } from 'cdk8s';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { egressOf } from '../network-peers.ts';
import { restrictedFaults } from '../pod-security.ts';
import { platformOf, workloadsOf } from '../synthesized.ts';

let chart: Chart;
let namespace: Namespace;
beforeEach(() => {
  chart = new Chart(new App(), 'chart');
  namespace = new Namespace(chart, 'lab');
});

const image = 'registry.example/objects:1';
const ON = 'services: {objectStorage: {enabled: true}}';
const OFF = 'services: {objectStorage: {enabled: false}}';
const EXTERNAL = (buckets: string): string => `
services:
  objectStorage:
    external:
      endpoint: https://s3.example.com/store
      region: eu-central-1
      addresses: [203.0.113.9]
      buckets: {${buckets}}`;
const BUCKET = 'reports: {bucket: our-reports, accessKey: AKIA, secretKey: {secret: {name: ours, key: secret}}}';

/** A service that has a bucket. */
const reports: ServiceDescriptor = {
  name: 'reports',
  idea: 'reports of the platform, kept as objects',
  image: 'registry.example/reports:1',
  config: z.strictObject({}).prefault({}),
  user: 61_100,
  resources: { cpu: '10m', memory: '16Mi', memoryLimit: '32Mi' },
  bucket: 'reports',
  build: (scope, at) => {
    const { bucket } = at;
    const workload = new Workload(scope, 'reports', {
      namespace: at.namespace,
      image: at.image,
      command: ['/reports'],
      user: 61_100,
      ports: { http: 8080 },
      runs: { kind: 'deployment', replicas: 1 },
      resources: at.resources,
      mounts: () => (bucket === undefined ? [] : bucketSecrets(bucket).map((secret) => mounted(secret))),
      env: () => (bucket === undefined ? [] : [...bucketEnv(bucket)]),
    });
    if (bucket !== undefined) workload.reach(bucket.peer);
    return { workload };
  },
};
const withReports = (yaml: string) => {
  const config = parseConfig(yaml, 'delos.yaml');
  const app = new App();
  const platform = new Platform(app, 'platform', {
    config,
    context: engineContext(config, 'existing'),
    services: [...SERVICES, reports],
  });
  const synthesis = synthOf(platform);
  const pod = workloadsOf(synthesis).find(({ name }) => name === 'reports')?.pod;
  return { synthesis, env: pod?.containers[0]?.env.map(({ name, value }) => `${name}=${value}`) ?? [] };
};

describe('a bucket of an object storage', () => {
  test('comes with an account of its own, its Secret and its peer, and both policies have the connection', () => {
    const storage = new ObjectStorage(chart, 'object-storage', { namespace, image });
    const bucket = storage.bucket('reports');
    expect(storage.bucket('reports')).toBe(bucket);
    const synthesis = synthOf(chart);
    expect(objectOf(synthesis, 'Secret', 'object-storage-bucket-reports').secrets).toEqual({
      'secret-key': { kind: 'password', length: 48, rotation: { kind: 'overlap' } },
    });
    expect(bucketEnv(bucket).map(({ name, value }) => `${name}=${value}`)).toEqual([
      'S3_ENDPOINT=http://object-storage.lab.svc.cluster.local:7070',
      'S3_REGION=us-east-1',
      'S3_BUCKET=reports',
      'S3_ACCESS_KEY=reports',
      'S3_SECRET_KEY_FILE=/etc/delos-secrets/object-storage-bucket-reports/secret-key',
    ]);
    const [{ pod } = { pod: undefined }] = workloadsOf(synthesis);
    expect(pod?.volumes.map(({ name, secret }) => [name, secret?.secretName])).toEqual([
      ['admin', 'object-storage-admin'],
      ['signing', 'object-storage-signing'],
      ['projects', 'object-storage-projects'],
      ['bucket-reports', 'object-storage-bucket-reports'],
    ]);
    expect(restrictedFaults(pod ?? { containers: [] })).toEqual([]);
  });

  test.each(['', 'a', 'Reports', 'a_b', 'a.b', '-ab', 'x'.repeat(43), '../x'])('cannot be named %j', (name) => {
    const storage = new ObjectStorage(chart, 'object-storage', { namespace, image });
    expect(() => storage.bucket(name)).toThrow('no bucket of a service can be named');
  });

  test('is one that is there already, where the storage is', () => {
    const secret = Secret.external({ namespace, name: 'ours' });
    const storage = ObjectStorage.external({
      endpoint: 'https://s3.example.com',
      region: 'eu-central-1',
      peer: { kind: 'addresses', addresses: ['203.0.113.9'], ports: [443] },
      buckets: { reports: { accessKey: 'AKIA', secretKey: { secret, key: 'secret' } } },
    });
    expect(storage.bucket('reports')).toMatchObject({ name: 'reports', accessKey: 'AKIA' });
    expect(() => storage.bucket('models')).toThrow('has no bucket models; listed are: reports');
  });
});

describe('the object storage of a platform', () => {
  test('is there in `small` and `medium`, and where it is asked for', () => {
    const names = (yaml: string): readonly string[] => workloadsOf(platformOf(yaml)).map(({ name }) => name);
    expect(names('')).toContain('object-storage');
    expect(names('profile: medium')).toContain('object-storage');
    expect(names('profile: ha\nservices: {devpi: {enabled: false}}')).not.toContain('object-storage');
    expect(names(OFF)).not.toContain('object-storage');
    expect(names(EXTERNAL(''))).not.toContain('object-storage');
  });

  test('connects to nobody, and the gateway leads to it without rewriting', () => {
    const platform = platformOf(ON);
    expect(egressOf(platform, 'object-storage')).toEqual([]);
    expect(egressOf(platform, 'gateway')).toContain('object-storage:7070');
    const { Caddyfile = '' } = z
      .record(z.string(), z.string())
      .parse(objectOf(platform, 'ConfigMap', 'gateway').manifest.data);
    expect(Caddyfile).toContain('path /s3 /s3/*');
    const [, handled = ''] = /handle @object-storage \{(.*?)\n\t\}/s.exec(Caddyfile) ?? [];
    expect(handled).toContain('reverse_proxy object-storage.delos.svc.cluster.local:7070');
    expect(handled).not.toMatch(/rewrite|strip_prefix|uri/);
  });

  test('gives a bucket to a service that names one; without a storage the service is there without a bucket', () => {
    const { synthesis, env } = withReports(ON);
    expect(env).toContain('S3_BUCKET=reports');
    expect(egressOf(synthesis, 'reports')).toEqual(['object-storage:7070']);
    expect(withReports(OFF).env).toEqual([]);
  });

  test('is one’s own where the file says so: its buckets are listed there', () => {
    const { synthesis, env } = withReports(EXTERNAL(BUCKET));
    expect(env).toEqual([
      'S3_ENDPOINT=https://s3.example.com/store',
      'S3_REGION=eu-central-1',
      'S3_BUCKET=our-reports',
      'S3_ACCESS_KEY=AKIA',
      'S3_SECRET_KEY_FILE=/etc/delos-secrets/ours/secret',
    ]);
    expect(egressOf(synthesis, 'reports')).toEqual(['203.0.113.9/32:443']);
  });

  test('has the logs of jobs, one’s own only where it lists their bucket', () => {
    const apiEnv = (yaml: string): readonly string[] =>
      workloadsOf(platformOf(yaml))
        .find(({ name }) => name === 'control-api')
        ?.pod.containers[0]?.env.map(({ name, value }) => `${name}=${value}`) ?? [];
    const lists = BUCKET.replace('reports', 'job-logs');
    expect(apiEnv(OFF).filter((line) => /^(S3|DELOS_BUCKETS)_/.test(line))).toEqual([]);
    // Another's credentials are not the platform's to give: projects have no buckets there.
    expect(apiEnv(EXTERNAL(lists)).filter((line) => line.startsWith('DELOS_BUCKETS_'))).toEqual([]);
    expect(apiEnv(ON)).toContain('DELOS_BUCKETS_SIGNING_FILE=/etc/delos-secrets/object-storage-projects/secret');
    expect(apiEnv(EXTERNAL('')).filter((line) => line.startsWith('S3_'))).toEqual([]);
    expect(apiEnv(ON)).toContain('S3_BUCKET=job-logs');
    expect(apiEnv(ON)).toContain('S3_SECRET_KEY_FILE=/etc/delos-secrets/object-storage-bucket-job-logs/secret-key');
    expect(apiEnv(EXTERNAL(lists))).toContain('S3_BUCKET=our-reports');
    expect(egressOf(platformOf(EXTERNAL(lists)), 'control-api')).toContain('203.0.113.9/32:443');
  });

  test.each([
    ['a slash at the end', 'endpoint: https://s3.example.com/', 'no slash at the end'],
    ['another protocol', 'endpoint: ftp://s3.example.com', 'expected https://'],
    ['a name that no policy knows', 'endpoint: https://s3.example.com', 'a NetworkPolicy cannot name the host'],
  ])('of one’s own is refused with %s', (_what, line, message) => {
    expect(() => parseConfig(`services: {objectStorage: {external: {${line}}}}`, 'f')).toThrow(message);
  });

  test('goes with its node: the profile ha takes one’s own', () => {
    const ha = (storage: string): string => `profile: ha
services:
  postgres: {external: {host: 10.0.0.1, databases: {delos: {password: {file: /x}}, keycloak: {password: {file: /x}}}}}
  keycloak: {external: {url: 'https://10.0.0.2', admin: {file: /x}}}
  devpi: {enabled: false}
  objectStorage: ${storage}`;
    expect(() => parseConfig(ha('{enabled: true}'), 'f')).toThrow('`services.objectStorage.external`');
    expect(() => parseConfig(ha('{external: {endpoint: "https://10.0.0.3"}}'), 'f')).not.toThrow();
    expect(() => parseConfig(ha('{}'), 'f')).not.toThrow();
  });

  test('stands before what may ask for a bucket', () => {
    const order = SERVICES.map(({ name }) => name);
    const asking = SERVICES.filter(({ bucket }) => bucket !== undefined).map(({ name }) => order.indexOf(name));
    for (const place of asking) expect(place).toBeGreaterThan(order.indexOf('object-storage'));
  });
});
