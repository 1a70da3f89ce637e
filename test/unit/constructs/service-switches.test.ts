import {
  engineContext,
  isEnabled,
  objectOf,
  ownServices,
  Platform,
  parseConfig,
  SERVICES,
  type Synthesis,
  sectionName,
  without,
} from '@delos/constructs';
import { isDelosError } from '@delos/core';
import { App } from 'cdk8s';
import { describe, expect, test } from 'vitest';
import { wantedImages } from '../../../cluster/src/images/ensure.ts';
import { yamlOf as combinationYaml, pairwise } from '../../support/constructs/switches.ts';
import { egressOf } from './network-peers.ts';
import { EVERY_SERVICE, kindOf, platformOf, workloadsOf } from './synthesized.ts';

/** Where and why a text is refused; undefined where it is accepted. */
function refusal(text: string): { readonly field: string; readonly message: string } | undefined {
  try {
    parseConfig(text, 'delos.yaml');
    return undefined;
  } catch (error) {
    if (isDelosError(error))
      return { field: error.where?.field ?? '', message: `${error.message} ${error.hint ?? ''}` };
    throw error;
  }
}
const off = (...names: readonly string[]): string =>
  `services: {${names.map((name) => `${name}: {enabled: false}`).join(', ')}}`;
const namesOf = (synthesis: Synthesis): readonly string[] =>
  workloadsOf(synthesis)
    .map(({ name }) => name)
    .sort();
const textOf = (synthesis: Synthesis, kind: string, name: string): string =>
  JSON.stringify(objectOf(synthesis, kind, name).manifest);

const PASSWORD = '{secret: {name: ours, key: password}}';
const external = (databases: string, more = ''): string => `
services:
  postgres: {external: {host: db.example.com, addresses: [10.20.0.5], databases: {${databases}}}}
${more}`;
const BOTH = `delos: {password: ${PASSWORD}}, keycloak: {password: ${PASSWORD}}`;

describe('a service that is left out', () => {
  test.each(SERVICES.map((service) => [service.name, service] as const))(
    '%s is refused exactly where another cannot be built without it',
    (_name, service) => {
      const config = parseConfig('', 'delos.yaml');
      const build = (): unknown =>
        new Platform(new App(), 'platform', {
          config,
          context: engineContext(config, 'embedded'),
          services: without(SERVICES, service),
        });
      let needed = false;
      try {
        build();
      } catch {
        needed = true;
      }
      const found = refusal(off(sectionName(service)));
      expect(found !== undefined).toBe(needed);
      if (needed) {
        expect(found?.field).toBe(`services.${sectionName(service)}.enabled`);
        expect(found?.message).toContain(` cannot work without ${service.name}: `);
      }
    },
  );

  test('is refused with who needs it, and what to do', () => {
    expect(refusal(off('postgres'))).toEqual({
      field: 'services.postgres.enabled',
      message:
        'keycloak, control-api, identity and scheduler cannot work without postgres: say where yours is (`services.postgres.external`), or leave those out as well ',
    });
    expect(refusal(off('controlApi'))?.message).toContain(
      'job-router, identity, agent, collector, devpi, registry and metrics-proxy cannot work without control-api: leave those out as well',
    );
    expect(
      refusal(off('controlApi', 'jobRouter', 'identity', 'agent', 'collector', 'devpi', 'registry', 'metricsProxy')),
    ).toBeUndefined();
  });

  test('takes along its routes, its way through the network and its volume', () => {
    const platform = platformOf(off('devpi'));
    expect(namesOf(platform)).not.toContain('devpi');
    expect(textOf(platform, 'ConfigMap', 'gateway')).not.toContain('/pypi/');
    expect(egressOf(platform, 'gateway').join(' ')).not.toContain('devpi');
    expect(platform.objects.filter(({ manifest }) => JSON.stringify(manifest).includes('devpi'))).toEqual([]);
  });

  test('takes along its database', () => {
    const platform = platformOf(`monitoring: {enabled: false}
services: {keycloak: {enabled: false}, controlApi: {enabled: false}, jobRouter: {enabled: false}, identity: {enabled: false},
      agent: {enabled: false}, collector: {enabled: false}, devpi: {enabled: false}, registry: {enabled: false}, scheduler: {enabled: false},
      objectStorage: {enabled: false}}`);
    expect(namesOf(platform)).toEqual(['gateway', 'postgres', 'redis']);
    expect(kindOf(platform, 'Secret').map(({ manifest }) => manifest.metadata.name)).not.toContain('postgres-keycloak');
  });

  test('takes along its image, unless another service runs from it', () => {
    const built = (yaml: string): readonly string[] => {
      const used = ownServices(parseConfig(yaml, 'delos.yaml'), SERVICES).map(({ image }) => image);
      const leaveOut = SERVICES.map(({ image }) => image).filter((image) => !used.includes(image));
      return wantedImages({ standIns: false, leaveOut }).map(({ name }) => name);
    };
    const all = built('');
    const usual = SERVICES.filter(({ optional, name }) => optional !== true && name !== 'files').map(
      ({ image }) => image,
    );
    expect(all).toEqual(expect.arrayContaining(usual));
    expect(built(EVERY_SERVICE)).toEqual(expect.arrayContaining(SERVICES.map(({ image }) => image)));
    expect(all).not.toContain('pg-archive');
    expect(all.filter((name) => !built(off('devpi', 'collector')).includes(name))).toEqual(['devpi']);
    expect(all.filter((name) => !built(external(BOTH)).includes(name))).toEqual(['postgres']);
  });

  test('leaves limits to each replica where it is the cache', () => {
    const platform = platformOf(off('redis'));
    expect(textOf(platform, 'Deployment', 'control-api')).not.toContain('REDIS_');
    expect(egressOf(platform, 'control-api').join(' ')).not.toContain('redis');
    expect(kindOf(platform, 'Secret').map(({ manifest }) => manifest.metadata.name)).not.toContain('redis-control-api');
  });

  test('is told by its section, and by no other', () => {
    const config = parseConfig(off('devpi', 'redis'), 'delos.yaml');
    const left = SERVICES.filter((service) => !isEnabled(config, service)).map(({ name }) => name);
    expect(left).toEqual([
      'redis',
      // These and all below but DevPI are off where nobody asks for them.
      'database-archive',
      'victoria-logs',
      'devpi',
      'image-saver',
      'charts',
      'dns',
      'kube-state-metrics',
      'dcgm-exporter',
      'amd-gpu-exporter',
      'intel-gpu-exporter',
      'grafana',
    ]);
  });
});

describe('a service that is there already', () => {
  test('PostgreSQL: its clients reach it, and none of ours runs', () => {
    const platform = platformOf(external(BOTH));
    expect(namesOf(platform)).not.toContain('postgres');
    expect(kindOf(platform, 'Secret').filter(({ manifest }) => /postgres/.test(manifest.metadata.name))).toEqual([]);
    for (const name of ['control-api', 'scheduler', 'keycloak']) {
      expect(egressOf(platform, name)).toContain('10.20.0.5/32:5432');
    }
    expect(textOf(platform, 'Deployment', 'scheduler')).toContain('"name":"PGHOST","value":"db.example.com"');
    expect(textOf(platform, 'Deployment', 'scheduler')).toContain('"secretName":"ours"');
  });

  test('Keycloak: users go there, nothing is routed to it, and it asks for no database', () => {
    const keycloak = `  keycloak: {external: {url: 'https://sso.example.com:8443/auth', addresses: [203.0.113.7], admin: ${PASSWORD}}}`;
    const platform = platformOf(external(`delos: {password: ${PASSWORD}}`, keycloak));
    expect(namesOf(platform)).not.toContain('keycloak');
    expect(textOf(platform, 'Deployment', 'control-api')).toContain(
      '"name":"DELOS_OIDC_ISSUER","value":"https://sso.example.com:8443/auth/realms/delos"',
    );
    expect(egressOf(platform, 'control-api')).toContain('203.0.113.7/32:8443');
    expect(textOf(platform, 'ConfigMap', 'gateway')).not.toContain('keycloak.delos.svc');
  });

  test('PostgreSQL with TLS: each client checks its certificate', () => {
    const platform = platformOf(
      external(BOTH).replace('addresses', 'tls: {authority: {file: /etc/ssl/ours.pem}}, addresses'),
    );
    for (const name of ['control-api', 'scheduler']) {
      const manifest = textOf(platform, 'Deployment', name);
      expect(manifest).toContain('{"name":"PGSSLMODE","value":"verify-full"}');
      expect(manifest).toContain('"name":"PGSSLROOTCERT","value":"/etc/delos-secrets/postgres-authority/value"');
      expect(manifest).toContain('"secretName":"postgres-authority"');
    }
    const keycloak = textOf(platform, 'StatefulSet', 'keycloak');
    const [, properties] = /"name":"KC_DB_URL_PROPERTIES","value":"([^"]+)"/.exec(keycloak) ?? [];
    const file = /^\?sslmode=verify-full&sslrootcert=(.+)\/value$/.exec(properties ?? '')?.[1];
    expect(keycloak).toContain(`"mountPath":"${file}","name":"secret-authority"`);
    const open = platformOf(external(BOTH).replace('addresses', 'tls: {}, addresses'));
    expect(textOf(open, 'StatefulSet', 'keycloak')).toContain('sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory');
    expect(textOf(open, 'Deployment', 'scheduler')).not.toContain('PGSSLROOTCERT');
  });

  test('Keycloak with a certificate of the site’s own authority, which the control API trusts', () => {
    const platform =
      platformOf(`services: {keycloak: {external: {url: 'https://sso.example.com', addresses: [203.0.113.7],
      authority: {file: /etc/ssl/ours.pem}, admin: ${PASSWORD}}}}`);
    const api = textOf(platform, 'Deployment', 'control-api');
    expect(api).toContain('{"name":"NODE_EXTRA_CA_CERTS","value":"/etc/delos-secrets/keycloak-authority/value"}');
    expect(api).toContain('"secretName":"keycloak-authority"');
  });

  test('Redis: with TLS, a certificate authority and a user of its own', () => {
    const platform = platformOf(`services: {redis: {external: {host: cache.example.com, port: 6380,
      pods: {namespace: caches, labels: {app: valkey}}, tls: {authority: {file: /etc/ssl/ours.pem}},
      users: {control-api: {user: delos, password: {externalSecret: {store: vault, key: delos/cache}}}}}}}`);
    const api = textOf(platform, 'Deployment', 'control-api');
    expect(api).toContain('"name":"REDIS_USERNAME","value":"delos"');
    expect(api).toContain('"name":"REDIS_CA_FILE","value":"/etc/delos-secrets/redis-authority/value"');
    expect(JSON.stringify(objectOf(platform, 'NetworkPolicy', 'control-api').manifest)).toContain('"app":"valkey"');
    expect(objectOf(platform, 'Secret', 'redis-authority').secrets).toEqual({
      value: { kind: 'file', path: '/etc/ssl/ours.pem' },
    });
    expect(objectOf(platform, 'ExternalSecret', 'redis-control-api').manifest.spec).toEqual({
      refreshInterval: '1h0m0s',
      secretStoreRef: { name: 'vault', kind: 'ClusterSecretStore' },
      target: { name: 'redis-control-api', creationPolicy: 'Owner' },
      data: [{ secretKey: 'value', remoteRef: { key: 'delos/cache' } }],
    });
  });

  test('its Secret is made before the Pods that mount it', () => {
    const platform = platformOf(external(`delos: {password: {file: /run/delos}}, keycloak: {password: ${PASSWORD}}`));
    const { id } = objectOf(platform, 'Secret', 'postgres-delos');
    expect(objectOf(platform, 'Deployment', 'scheduler').dependsOn).toContain(id);
  });

  test.each([
    [
      'a database that is asked for is missing',
      external(`delos: {password: ${PASSWORD}}`),
      'services.postgres.external.databases',
      '`keycloak` is missing, which keycloak asks for',
    ],
    [
      'no user for who asks',
      'services: {redis: {external: {host: 10.0.0.1, users: {}}}}',
      'services.redis.external.users',
      '`control-api` is missing, which control-api asks for',
    ],
    [
      'a host that no policy can name',
      external(BOTH).replace('addresses: [10.20.0.5], ', ''),
      'services.postgres.external.host',
      'a NetworkPolicy cannot name the host db.example.com: give its `addresses`, or its `pods`',
    ],
    [
      'an address that is none',
      external(BOTH).replace('10.20.0.5', '10.20.0.500'),
      'services.postgres.external.addresses[0]',
      'expected an IP address such as 10.20.0.5, or a range',
    ],
    [
      'a URL for a host',
      external(BOTH).replace('db.example.com', "'postgres://db'"),
      'services.postgres.external.host',
      'leave out the scheme and the path',
    ],
    [
      'no secret at all',
      external('delos: {}, keycloak: {}'),
      'services.postgres.external.databases.delos.password',
      '`password` is missing',
    ],
    [
      'two places for one secret',
      external(`delos: {password: {file: /a, secret: {name: a, key: b}}}, keycloak: {password: ${PASSWORD}}`),
      'services.postgres.external.databases.delos.password',
      'expected exactly one of {secret: {name, key}}, {file: /PATH} or {externalSecret: {store, key}}',
    ],
    [
      'a relative path',
      external(`delos: {password: {file: secrets/db}}, keycloak: {password: ${PASSWORD}}`),
      'services.postgres.external.databases.delos.password.file',
      'expected an absolute path',
    ],
    [
      'a URL with a slash at its end',
      "services: {keycloak: {external: {url: 'https://sso.example.com/', addresses: [203.0.113.7], admin: {file: /a}}}}",
      'services.keycloak.external.url',
      'no slash at the end',
    ],
    [
      'one of a service that has no such form',
      'services: {devpi: {external: {host: a}}}',
      'services.devpi.external',
      'unknown key `external`',
    ],
  ])('is refused with %s', (_, yaml, field, words) => {
    const found = refusal(yaml);
    expect(found?.field).toBe(field);
    expect(found?.message).toContain(words);
  });
});

describe('a secret in delos.yaml', () => {
  const SECRET = 'correct-horse-battery';
  const places = {
    'services.postgres.external.databases.delos.password': external(
      `delos: {password: HERE}, keycloak: {password: ${PASSWORD}}`,
    ),
    'services.keycloak.external.admin':
      "services: {keycloak: {external: {url: 'https://a.example', addresses: [1.2.3.4], admin: HERE}}}",
    'services.redis.external.users.control-api.password':
      'services: {redis: {external: {host: 10.0.0.1, users: {control-api: {password: HERE}}}}}',
    'services.redis.external.tls.authority': `services: {redis: {external: {host: 10.0.0.1, tls: {authority: HERE}, users: {control-api: {password: ${PASSWORD}}}}}}`,
  };
  test.each(
    Object.entries(places).flatMap(([field, yaml]) =>
      [SECRET, `[${SECRET}]`, '12345678', `{value: ${SECRET}}`].map((value) => [field, value, yaml] as const),
    ),
  )('%s: the value %s is refused and not repeated', (field, value, yaml) => {
    const found = refusal(yaml.replace('HERE', value));
    expect(found?.field.startsWith(field)).toBe(true);
    expect(found?.message).not.toContain(SECRET);
    expect(found?.message).not.toContain('12345678');
    if (!value.startsWith('{')) {
      expect(found?.message).toContain('expected where the secret is, never the secret itself: {secret: {name, key}}');
    }
  });
});

test('every two settings of switches give a platform that names no part it has not', () => {
  for (const combination of pairwise()) {
    const platform = platformOf(combinationYaml(combination), combination.engine);
    const there = new Set(namesOf(platform));
    for (const { manifest } of kindOf(platform, 'NetworkPolicy')) {
      for (const [, name = ''] of JSON.stringify(manifest).matchAll(/"app\.kubernetes\.io\/name":"([^"]+)"/g)) {
        expect(there).toContain(name);
      }
    }
  }
});
