import { generateKeyPairSync } from 'node:crypto';
import {
  collector,
  controlApi,
  DNS,
  databaseEnv,
  delosConfig,
  engineContext,
  Gateway,
  gateway,
  Keycloak,
  keycloak,
  mounted,
  Namespace,
  objectOf,
  Platform,
  Postgres,
  postgres,
  realmOf,
  replaced,
  SERVICES,
  Secret,
  type ServiceDescriptor,
  type Synthesis,
  synthOf,
  Workload,
  type WorkloadProps,
  without,
  withSecrets,
} from '@delos/constructs';
import { keySetOf } from '@delos/core';
import { ApiObject, App, Chart, JsonPatch } from 'cdk8s';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';

const config = delosConfig.parse({ domain: 'ai.example.com' });
const context = engineContext(config, 'existing');
const publicUrl = 'https://ai.example.com';

let app: App;
let chart: Chart;
let namespace: Namespace;
beforeEach(() => {
  app = new App();
  chart = new Chart(app, 'chart');
  namespace = new Namespace(chart, 'lab');
});

const workload = (id: string, more: Partial<WorkloadProps> = {}): Workload =>
  new Workload(chart, id, {
    namespace,
    image: 'registry.example/app:1',
    command: ['/app'],
    user: 61_000,
    ports: { http: 8080 },
    runs: { kind: 'deployment', replicas: 1 },
    resources: { cpu: '10m', memory: '16Mi', memoryLimit: '32Mi' },
    ...more,
  });

const policyOf = (synthesis: Synthesis, name: string): unknown =>
  objectOf(synthesis, 'NetworkPolicy', name).manifest.spec;
const pods = (name: string) => ({ podSelector: { matchLabels: { 'app.kubernetes.io/name': name } } });

describe('a database', () => {
  test('comes with its connection, its Secret and its peer, and both policies have the connection', () => {
    const database = new Postgres(chart, 'db', { namespace }).database('reports');
    const client = workload('reports', {
      mounts: () => [mounted(database.password.secret)],
      env: () => databaseEnv(database),
    });
    client.reach(database.peer, DNS);
    const synthesis = synthOf(chart);
    expect(objectOf(synthesis, 'Secret', 'db-reports').secrets).toEqual({
      password: { kind: 'password', rotation: { kind: 'role', role: 'reports' } },
    });
    expect(policyOf(synthesis, 'db')).toMatchObject({
      ingress: [{ from: [pods('reports')], ports: [{ port: 5432 }] }],
    });
    expect(policyOf(synthesis, 'reports')).toMatchObject({
      egress: expect.arrayContaining([{ to: [pods('db')], ports: [{ port: 5432, protocol: 'TCP' }] }]),
    });
    expect(JSON.stringify(objectOf(synthesis, 'Deployment', 'reports').manifest)).toContain(
      '"name":"PGPASSWORD_FILE","value":"/etc/delos-secrets/db-reports/password"',
    );
  });

  test('of a server that is there already is reached by its address, with the Secret that is there', () => {
    const secret = Secret.external({ namespace, name: 'from-the-vault' });
    const server = Postgres.external({
      host: '10.20.0.5',
      port: 6432,
      databases: { reports: { user: 'reporter', password: { secret, key: 'pw' } } },
    });
    const database = server.database('reports');
    expect(database).toMatchObject({ host: '10.20.0.5', port: 6432, name: 'reports', user: 'reporter', ready: [] });
    const client = workload('reports', { mounts: () => [mounted(database.password.secret)] });
    client.reach(database.peer);
    const synthesis = synthOf(chart);
    expect(synthesis.objects.filter(({ manifest }) => manifest.kind === 'Secret')).toEqual([]);
    expect(policyOf(synthesis, 'reports')).toMatchObject({
      egress: [{ to: [{ ipBlock: { cidr: '10.20.0.5/32' } }], ports: [{ port: 6432, protocol: 'TCP' }] }],
    });
    expect(JSON.stringify(objectOf(synthesis, 'Deployment', 'reports').manifest)).toContain(
      '"secretName":"from-the-vault"',
    );
  });

  test('of a server that is there already is one of its list', () => {
    const server = Postgres.external({ host: '10.20.0.5', databases: {} });
    expect(() => server.database('constructor')).toThrow('has no database constructor; listed are: none');
  });

  test('of a server known by a host name needs the addresses or Pods that a policy can name', () => {
    const asked = { host: 'db.example.com', databases: {} };
    expect(() => Postgres.external(asked)).toThrow('a NetworkPolicy cannot name the host db.example.com: give `peer`');
    const password = { secret: Secret.external({ namespace, name: 'x' }), key: 'pw' };
    const labels = { app: 'pgbouncer' };
    const database = Postgres.external({
      ...asked,
      databases: { x: { password } },
      peer: { kind: 'pods', namespace: 'data', labels, ports: [5432] },
    }).database('x');
    workload('reports').reach(database.peer, { kind: 'addresses', addresses: ['10.1.0.0/16'], ports: [443] });
    expect(policyOf(synthOf(chart), 'reports')).toMatchObject({
      egress: [
        { to: [{ ipBlock: { cidr: '10.1.0.0/16' } }], ports: [{ port: 443 }] },
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'data' } },
              podSelector: { matchLabels: labels },
            },
          ],
          ports: [{ port: 5432 }],
        },
      ],
    });
  });
});

describe('two of a kind', () => {
  test('live in one namespace', () => {
    for (const id of ['first', 'second']) {
      const database = new Postgres(chart, `${id}-db`, { namespace }).database('keycloak');
      new Keycloak(chart, `${id}-login`, { namespace, database, publicUrl, realm: realmOf(config, publicUrl) });
      new Gateway(chart, `${id}-gateway`, { namespace, publicUrl, domain: 'ai.example.com' });
    }
    const { objects } = synthOf(chart);
    expect(objects.filter(({ manifest }) => manifest.kind === 'StatefulSet')).toHaveLength(4);
    const script = objectOf({ objects }, 'ConfigMap', 'second-db').manifest.data;
    expect(JSON.stringify(script)).toContain('server=second-db');
  });

  test('with one name are refused, and both are named', () => {
    workload('first', { name: 'same' });
    workload('second', { name: 'same' });
    expect(() => synthOf(chart)).toThrow(
      /chart\/first\/\S+ and chart\/second\/\S+ are both the \w+ same in the namespace lab/,
    );
  });
});

describe('a workload', () => {
  test('can be patched where its props say nothing', () => {
    const { object } = workload('reports');
    object.addJsonPatch(JsonPatch.add('/spec/template/spec/nodeSelector', { disk: 'fast' }));
    expect(objectOf(synthOf(chart), 'Deployment', 'reports').manifest).toMatchObject({
      spec: { template: { spec: { nodeSelector: { disk: 'fast' } } } },
    });
  });

  test('hands out its Service, which can be patched too', () => {
    const { service } = workload('reports');
    service?.addJsonPatch(JsonPatch.add('/spec/sessionAffinity', 'ClientIP'));
    expect(objectOf(synthOf(chart), 'Service', 'reports').manifest).toMatchObject({
      spec: { sessionAffinity: 'ClientIP', ports: [{ name: 'http', port: 8080 }] },
    });
  });

  test('waits for its namespace, whatever object of it', () => {
    workload('reports');
    const { objects } = synthOf(chart);
    const own = objects.filter(({ id }) => id.startsWith('chart/reports/'));
    expect(own.length).toBeGreaterThan(3);
    for (const { dependsOn } of own) expect(dependsOn).toContain('chart/lab/namespace');
  });

  test('has the priority of the platform in a platform’s app, and the cluster’s default elsewhere', () => {
    workload('alone');
    expect(JSON.stringify(objectOf(synthOf(chart), 'Deployment', 'alone').manifest)).not.toContain('priorityClassName');
    new Platform(app, 'platform', { config, context });
    expect(JSON.stringify(objectOf(synthOf(chart), 'Deployment', 'alone').manifest)).toContain('delos-platform');
  });

  test('does not mount a Secret of another namespace, of which it can mount a copy', () => {
    const other = new Namespace(chart, 'other');
    const secret = new Secret(chart, 'token', { namespace: other, sources: { token: { kind: 'password' } } });
    const copy = Secret.copy(chart, 'copy', { namespace, of: { secret, key: 'token' } });
    expect(copy.secret.namespace).toBe(namespace);
    workload('right', { mounts: () => [mounted(copy.secret)] });
    synthOf(chart);
    workload('wrong', { mounts: () => [mounted(secret)] });
    expect(() => synthOf(chart)).toThrow('wrong runs in the namespace lab and cannot mount the Secret token of other');
  });

  test('keeps a claim as a stateful set alone', () => {
    const data = () => [{ name: 'data', path: '/data', claim: { size: '1Gi', storageClass: undefined } }];
    workload('right', { mounts: data, runs: { kind: 'stateful-set', replicas: 1 } });
    synthOf(chart);
    workload('wrong', { mounts: data });
    expect(() => synthOf(chart)).toThrow('is a deployment and has the claim data: only a stateful-set keeps claims');
  });
});

describe('a platform', () => {
  test('with a database server of its site has none of its own', () => {
    const services = replaced(SERVICES, postgres, (_scope, at) => {
      const password = { secret: Secret.external({ namespace: at.namespace, name: 'our-database' }), key: 'password' };
      return Postgres.external({
        host: '10.20.0.5',
        port: 6432,
        databases: { keycloak: { password }, delos: { password } },
      });
    });
    const synthesis = synthOf(new Platform(app, 'platform', { config, context, services }));
    const ofKind = (kind: string) =>
      synthesis.objects.filter(({ manifest }) => manifest.kind === kind).map(({ manifest }) => manifest.metadata.name);
    expect(ofKind('StatefulSet')).toContain('keycloak');
    expect(ofKind('StatefulSet')).not.toContain('postgres');
    expect(ofKind('Secret').filter((name) => name.startsWith('postgres'))).toEqual([]);
    expect(JSON.stringify(objectOf(synthesis, 'StatefulSet', 'keycloak').manifest)).toContain(
      '"name":"KC_DB_URL_PORT","value":"6432"',
    );
    expect(JSON.stringify(policyOf(synthesis, 'control-api'))).toContain('10.20.0.5/32');
  });

  test('with a Keycloak of its site signs in there, and routes none', () => {
    const services = replaced(SERVICES, keycloak, (_scope, at) =>
      Keycloak.external({
        url: 'https://sso.example.com/auth',
        realm: realmOf(at.config, at.publicUrl),
        admin: { secret: Secret.external({ namespace: at.namespace, name: 'sso' }), key: 'client-secret' },
        peer: { kind: 'addresses', addresses: ['203.0.113.7'], ports: [443] },
      }),
    );
    const synthesis = synthOf(new Platform(app, 'platform', { config, context, services }));
    const api = JSON.stringify(objectOf(synthesis, 'Deployment', 'control-api').manifest);
    expect(api).toContain('"name":"DELOS_OIDC_ISSUER","value":"https://sso.example.com/auth/realms/delos"');
    expect(api).toContain('"secretName":"sso"');
    expect(JSON.stringify(policyOf(synthesis, 'control-api'))).toContain('203.0.113.7/32');
    expect(synthesis.objects.map(({ id }) => id).filter((id) => id.includes('keycloak'))).toEqual([]);
    expect(JSON.stringify(objectOf(synthesis, 'ConfigMap', 'gateway').manifest)).not.toContain('keycloak.delos.svc');
  });

  test.each(['https://sso.example.com/', 'sso.example.com', 'https://sso.example.com?a=b'])(
    'does not take %s for the URL of a Keycloak',
    (url) => {
      expect(() =>
        Keycloak.external({
          url,
          realm: realmOf(config, publicUrl),
          admin: { secret: Secret.external({ namespace, name: 'sso' }), key: 'x' },
          peer: { kind: 'addresses', addresses: ['203.0.113.7'], ports: [443] },
        }),
      ).toThrow('is no URL of a Keycloak: expected https://HOST[:PORT][/PATH], no slash at the end');
    },
  );

  test('lives without a part that no other asks for', () => {
    const services = without(SERVICES, collector, gateway);
    const { objects } = synthOf(new Platform(app, 'platform', { config, context, services }));
    expect(objects.some(({ id }) => id.startsWith('platform/gateway/'))).toBe(false);
    expect(objects.some(({ id }) => id.startsWith('platform/control-api/'))).toBe(true);
  });

  test('has no object that a patch does not reach', () => {
    const platform = new Platform(app, 'platform', { config, context });
    const objects = platform.node.findAll().filter(ApiObject.isApiObject);
    for (const object of objects) object.addJsonPatch(JsonPatch.add('/metadata/annotations', { patched: 'yes' }));
    const manifests = synthOf(platform).objects.map(({ manifest }) => manifest);
    expect(manifests.length).toBeGreaterThan(50);
    expect(manifests.filter(({ metadata }) => metadata.annotations?.patched !== 'yes')).toEqual([]);
  });

  test('says which part it lacks', () => {
    const services = without(SERVICES, controlApi);
    expect(() => new Platform(app, 'platform', { config, context, services })).toThrow(
      'service control-api is needed and is not in the list of services',
    );
    expect(() => without(services, controlApi)).toThrow('service control-api is not in the list: postgres, gateway');
    expect(() => new Platform(app, 'twice', { config, context, services: [...SERVICES, postgres] })).toThrow(
      'the list has two services of the name postgres',
    );
  });

  test('takes a service of one’s own in its list, with image, database and route', () => {
    const notes: ServiceDescriptor = {
      name: 'notes',
      idea: 'notes: what people write down',
      image: 'registry.example/notes:1.0',
      config: z.strictObject({}),
      user: 61_000,
      resources: { cpu: '10m', memory: '16Mi', memoryLimit: '32Mi' },
      database: 'notes',
      routes: [{ paths: ['/notes/*'], port: 'http' }],
      build: (scope, at) => ({
        workload: new Workload(scope, 'notes', {
          namespace: at.namespace,
          image: at.image,
          command: ['/notes'],
          user: 61_000,
          ports: { http: 8080 },
          runs: { kind: 'deployment', replicas: 1 },
          resources: notes.resources,
          mounts: () => [mounted(at.database.password.secret)],
        }),
      }),
    };
    const synthesis = synthOf(new Platform(app, 'platform', { config, context, services: [...SERVICES, notes] }));
    expect(JSON.stringify(objectOf(synthesis, 'Deployment', 'notes').manifest)).toContain('registry.example/notes:1.0');
    expect(objectOf(synthesis, 'Secret', 'postgres-notes').secrets).toHaveProperty('password');
    expect(JSON.stringify(objectOf(synthesis, 'ConfigMap', 'gateway').manifest)).toContain('/notes/*');
  });
});

const plain = (data: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]));

const { privateKey: signing } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const pem = (kind: string): string =>
  kind === 'signing-key' ? signing : `-----BEGIN ${kind.endsWith('key') ? 'PRIVATE KEY' : 'CERTIFICATE'}-----\nMA==\n`;

describe('Secrets filled in', () => {
  test('have a value for each key, a copy the value of what it copies, and all else is as before', () => {
    const platform = synthOf(new Platform(app, 'platform', { config, context }));
    const asked: string[] = [];
    const filled = withSecrets(platform, ({ address, source }) => {
      asked.push(address);
      return source.kind === 'password' ? `password of ${address}` : pem(source.kind);
    });
    expect(new Set(asked).size).toBe(asked.length);
    expect(filled.map(({ kind }) => kind)).toEqual(platform.objects.map(({ manifest }) => manifest.kind));
    const secrets = new Map(
      filled.flatMap((each) =>
        each.kind === 'Secret' ? [[`${each.metadata.namespace}/${each.metadata.name}`, plain(each.data)] as const] : [],
      ),
    );
    expect(secrets.get('delos/postgres-delos')).toEqual({ password: 'password of delos/postgres-delos/password' });
    expect(secrets.get('delos-node/collector-token')).toEqual(secrets.get('delos/collector-token'));
    expect([...secrets.values()]).not.toContain(undefined);
  });

  test('are never empty', () => {
    new Secret(chart, 'token', { namespace, sources: { token: { kind: 'password' } } });
    expect(() => withSecrets(synthOf(chart), () => '')).toThrow('the value of lab/token/token is empty');
  });

  test('are the public half of a key of P-256, and of no other', () => {
    const key = {
      secret: new Secret(chart, 'key', { namespace, sources: { key: { kind: 'signing-key' } } }),
      key: 'key',
    };
    new Secret(chart, 'set', {
      namespace,
      sources: { keys: { kind: 'signing-key-set', ref: `${key.secret.name}/key` } },
    });
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const text = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const data = withSecrets(synthOf(chart), () => text).map((each) => plain(each.data));
    expect(data).toContainEqual({ keys: keySetOf(text) });
    expect(() => withSecrets(synthOf(chart), () => pem('key'))).toThrow('expected a private key of P-256');
  });

  test.each(['certificate', 'certificate-key', 'ca-certificate', 'ca-key'] as const)(
    'are PEM where a %s is wanted: the gateway would not start with another',
    (kind) => {
      const leaf = { leaf: 'web', dnsNames: ['a.example'], ipAddresses: [] };
      new Secret(chart, 'web', { namespace, sources: { file: { kind, ...leaf } } });
      const synthesis = synthOf(chart);
      const other = kind.endsWith('key') ? 'certificate' : 'certificate-key';
      for (const text of ['a password', pem(other)])
        expect(() => withSecrets(synthesis, () => text)).toThrow(`lab/web/file: expected a ${kind} in PEM`);
      expect(withSecrets(synthesis, () => pem(kind))).toHaveLength(synthesis.objects.length);
    },
  );

  test('that copy each other are refused, and a copy of nothing too', () => {
    const same = (ref: string) => ({ token: { kind: 'same-as', ref } as const });
    new Secret(chart, 'a', { namespace, sources: same('b/token') });
    const circle = new Secret(chart, 'b', { namespace, sources: same('a/token') });
    expect(() => withSecrets(synthOf(chart), () => 'x')).toThrow('copies of each other');
    new Secret(chart, 'c', { namespace, sources: same(`${circle.name}x/token`) });
    expect(() => withSecrets({ objects: [objectOf(synthOf(chart), 'Secret', 'c')] }, () => 'x')).toThrow(
      'chart/c is a copy of bx/token: found 0 of that name',
    );
  });
});
