import { yamlText } from '@delos/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { kindOf, platformOf, workloadsOf } from './synthesized.ts';

const platform = platformOf();
const workloads = workloadsOf(platform);

describe('order', () => {
  const position = new Map(platform.objects.map(({ id }, index) => [id, index]));

  test('everything stands behind what it waits for', () => {
    for (const { id, dependsOn } of platform.objects) {
      for (const other of dependsOn) expect(position.get(other) ?? Infinity).toBeLessThan(position.get(id) ?? -1);
    }
  });

  const waits = (name: string): readonly string[] => {
    const workload = workloads.find((candidate) => candidate.name === name);
    const direct = new Set(workload?.object.dependsOn);
    return workloads.filter(({ object }) => direct.has(object.id)).map((other) => other.name);
  };

  test.each([
    ['postgres', []],
    ['keycloak', []],
    ['control-api', ['postgres']],
    ['scheduler', ['postgres']],
    ['agent', []],
    ['collector', []],
    ['gateway', []],
  ])('%s waits for %j and runs beside the rest', (name, expected) => {
    expect(waits(name)).toEqual(expected);
  });

  test('no Pod comes before the deny and the policy of its own', () => {
    const byId = new Map(platform.objects.map((object) => [object.id, object.manifest]));
    for (const { name, namespace, object } of workloads) {
      const policies = object.dependsOn
        .map((id) => byId.get(id))
        .filter((manifest) => manifest?.kind === 'NetworkPolicy' && manifest.metadata.namespace === namespace)
        .map((manifest) => manifest?.metadata.name);
      expect(policies).toEqual(expect.arrayContaining(['default-deny', name]));
    }
  });
});

describe('change', () => {
  const changed = (before: string, after: string): readonly string[] => {
    const old = new Map(platformOf(before).objects.map(({ id, manifest }) => [id, JSON.stringify(manifest)]));
    const now = new Map(platformOf(after).objects.map(({ id, manifest }) => [id, JSON.stringify(manifest)]));
    return [...new Set([...old.keys(), ...now.keys()])].filter((id) => old.get(id) !== now.get(id)).sort();
  };

  test.each([
    ['controlApi', 'platform/control-api/workload/deployment'],
    ['scheduler', 'platform/scheduler/workload/deployment'],
    ['agent', 'platform/agent/workload/deployment'],
    ['gateway', 'platform/gateway/workload/deployment'],
  ])('another number of %s replicas is one changed object', (service, id) => {
    for (const replicas of service === 'agent' ? [0] : [0, 2, 3]) {
      expect(changed('', `services: {${service}: {replicas: ${replicas}}}`)).toEqual([id]);
    }
  });

  test('a changed preset rolls the control API, which reads it, and nothing else', () => {
    expect(changed('', 'presets: [{name: a, cpu: 1, memory: 1Gi}]')).toEqual([
      'platform/control-api/platform/config-map',
      'platform/control-api/workload/deployment',
    ]);
  });

  test('plain http turned off touches the gateway, its policy and its Service, and where the platform is', () => {
    const ids = changed('domain: a.org', 'domain: a.org\ngateway: {http: "off"}');
    expect(ids.every((id) => id.startsWith('platform/gateway/'))).toBe(true);
    expect(ids.length).toBeGreaterThan(0);
  });

  test('the same configuration in any order of keys is the same bytes', () => {
    const base = {
      domain: 'ai.example.com',
      users: [{ name: 'bob', email: 'bob@example.com' }],
      presets: [{ name: 'a', cpu: 1, memory: '1Gi', pools: ['p'] }],
      nodePools: [{ name: 'p', cpu: 4, labels: { x: '1', y: '2' } }],
      services: { agent: { replicas: 1 }, controlApi: { replicas: 2 } },
    };
    const expected = JSON.stringify(platformOf(yamlText(base)));
    const shuffled = (value: unknown, order: (keys: string[]) => string[]): unknown => {
      if (Array.isArray(value)) return value.map((item) => shuffled(item, order));
      if (typeof value !== 'object' || value === null) return value;
      const record = value as Readonly<Record<string, unknown>>;
      return Object.fromEntries(order(Object.keys(record)).map((key) => [key, shuffled(record[key], order)]));
    };
    fc.assert(
      fc.property(fc.infiniteStream(fc.nat()), (numbers) => {
        const order = (keys: string[]): string[] =>
          keys
            .map((key) => ({ key, rank: numbers.next().value ?? 0 }))
            .sort((a, b) => a.rank - b.rank)
            .map(({ key }) => key);
        expect(JSON.stringify(platformOf(yamlText(shuffled(base, order))))).toBe(expected);
      }),
      { numRuns: 20 },
    );
  });
});

describe('exposure', () => {
  test('on an existing cluster the gateway is a load balancer on the ports of the configuration', () => {
    const synthesis = platformOf('domain: ai.example.com\ngateway: {httpPort: 80, httpsPort: 443}', 'existing');
    const service = kindOf(synthesis, 'Service').find(({ manifest }) => manifest.metadata.name === 'gateway');
    expect(service?.manifest.spec).toMatchObject({ type: 'LoadBalancer', ports: [{ port: 80 }, { port: 443 }] });
  });

  test('reached from loopback alone, it has no way of its own on an existing cluster: the command forwards to it', () => {
    const synthesis = platformOf('domain: localhost', 'existing');
    const service = kindOf(synthesis, 'Service').find(({ manifest }) => manifest.metadata.name === 'gateway');
    expect(service?.manifest.spec).toMatchObject({ type: 'ClusterIP', ports: [{ port: 8080 }, { port: 8443 }] });
    expect(service?.manifest.spec).not.toHaveProperty('externalTrafficPolicy');
  });

  test('plain http serves on loopback, sends on to TLS elsewhere, and is gone where it is off', () => {
    const caddyfileOf = (yaml: string): string => {
      const config = kindOf(platformOf(yaml), 'ConfigMap').find(({ manifest }) => manifest.metadata.name === 'gateway');
      return z.object({ Caddyfile: z.string() }).parse(config?.manifest.data).Caddyfile;
    };
    expect(caddyfileOf('')).toMatch(/http:\/\/:8080 \{\s+import site/);
    expect(caddyfileOf('domain: a.org')).toMatch(/http:\/\/:8080 \{\s+redir https/);
    expect(caddyfileOf('gateway: {http: "off"}')).not.toContain('http://:8080');
    expect(caddyfileOf('domain: a.org\ngateway: {http: "on"}')).toMatch(/http:\/\/:8080 \{\s+import site/);
  });
});
