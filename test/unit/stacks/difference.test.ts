import type { Json, JsonObject, Path } from '@delos/kube';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changes, inputsFromLive, renderPath } from '../../../stacks/src/provider/compare.ts';
import { parseQuantity } from '../../../stacks/src/provider/quantity.ts';
import { mustReplace } from '../../../stacks/src/provider/replace-rules.ts';
import { decode, encode, hasUnknown, UNKNOWN } from '../../../stacks/src/provider/wire.ts';

const both = { configMaps: true, secrets: true };
const neither = { configMaps: false, secrets: false };

describe('a change replaces the object', () => {
  test.each([
    ['apps/v1', 'Deployment', ['spec', 'selector', 'matchLabels', 'app'], true],
    ['apps/v1', 'Deployment', ['spec', 'replicas'], false],
    ['apps/v1', 'StatefulSet', ['spec', 'serviceName'], true],
    ['batch/v1', 'Job', ['spec', 'template', 'spec', 'containers', 0, 'image'], true],
    ['batch/v1', 'CronJob', ['spec', 'jobTemplate'], false],
    ['v1', 'Service', ['spec', 'clusterIP'], true],
    ['v1', 'Service', ['spec', 'ports', 0, 'port'], false],
    ['v1', 'PersistentVolumeClaim', ['spec', 'storageClassName'], true],
    ['v1', 'PersistentVolumeClaim', ['spec', 'resources', 'requests', 'storage'], false],
    ['v1', 'Pod', ['spec', 'containers', 0, 'image'], false],
    ['v1', 'Pod', ['spec', 'containers', 0, 'command'], true],
    ['v1', 'ConfigMap', ['metadata', 'name'], true],
    ['v1', 'ConfigMap', ['metadata', 'labels', 'a'], false],
    ['v1', 'Secret', ['type'], true],
    ['rbac.authorization.k8s.io/v1', 'RoleBinding', ['roleRef', 'name'], true],
    ['rbac.authorization.k8s.io/v1', 'RoleBinding', ['subjects', 0], false],
    // Another group's kind of the same name has rules of its own.
    ['acme.io/v1', 'Deployment', ['spec', 'selector'], false],
  ] as const)('%s %s %j: %s', (apiVersion, kind, path, expected) => {
    expect(mustReplace(apiVersion, kind, path, both)).toBe(expected);
  });

  test('data of ConfigMaps and Secrets does so unless the provider says it may change', () => {
    for (const [kind, field] of [
      ['ConfigMap', 'data'],
      ['ConfigMap', 'binaryData'],
      ['Secret', 'data'],
    ] as const) {
      expect(mustReplace('v1', kind, [field, 'k'], both)).toBe(false);
      expect(mustReplace('v1', kind, [field, 'k'], neither)).toBe(true);
    }
  });
});

const json: fc.Arbitrary<Json> = fc
  .jsonValue({ maxDepth: 4 })
  .map((value) => JSON.parse(JSON.stringify(value)) as Json);
const tree = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 4 }).filter((key) => key !== '__proto__'),
  json,
);

describe('differences', () => {
  test('of an object to itself there are none', () => {
    fc.assert(
      fc.property(tree, (value) => {
        expect(changes(value, structuredClone(value))).toEqual([]);
      }),
    );
  });

  test('are told at the deepest path, as the engine writes it', () => {
    const before = {
      spec: { containers: [{ image: 'a', name: 'x' }] },
      metadata: { labels: { 'app.io/n': '1', gone: '1' } },
    };
    const after = {
      spec: { containers: [{ image: 'b', name: 'x' }], replicas: 2 },
      metadata: { labels: { 'app.io/n': '2' } },
    };
    expect(
      changes(before, after)
        .map(({ path, kind }) => `${kind} ${renderPath(path)}`)
        .sort(),
    ).toEqual([
      'add spec.replicas',
      'delete metadata.labels.gone',
      'update metadata.labels["app.io/n"]',
      'update spec.containers[0].image',
    ]);
  });

  test.each([
    ['an empty object against none', { a: {} }, {}],
    ['an empty list against none', {}, { a: [] }],
    ['an empty object against one of empty ones', { a: {} }, { a: {} }],
  ] as const)('there is none between %s', (_, before, after) => {
    expect(changes(before, after)).toEqual([]);
  });
});

describe('inputs read back from the cluster', () => {
  const live = {
    metadata: { name: 'x', uid: 'u', labels: { a: '1', injected: '2' } },
    spec: { replicas: 3, memory: '2Gi', cpu: 1, list: [{ name: 'p', protocol: 'TCP' }], paused: true },
  };
  test.each([
    ['a field of equal value stays', { spec: { replicas: 3 } }, { spec: { replicas: 3 } }],
    ['a field that drifted takes the live value', { spec: { replicas: 1 } }, { spec: { replicas: 3 } }],
    [
      'a quantity written otherwise stays as written',
      { spec: { memory: '2048Mi', cpu: '1000m' } },
      { spec: { memory: '2048Mi', cpu: '1000m' } },
    ],
    [
      'a zero that the server dropped stays',
      { spec: { hostNetwork: false, min: 0, volumes: [], sc: {} } },
      { spec: { hostNetwork: false, min: 0, volumes: [], sc: {} } },
    ],
    ['a field that was removed goes', { spec: { gone: 'v' } }, { spec: {} }],
    ['what others added stays out', { metadata: { labels: { a: '1' } } }, { metadata: { labels: { a: '1' } } }],
    ['defaults inside list items stay out', { spec: { list: [{ name: 'p' }] } }, { spec: { list: [{ name: 'p' }] } }],
    ['a false that became true takes the live value', { spec: { paused: false } }, { spec: { paused: true } }],
  ] as const)('%s', (_, inputs, expected) => {
    expect(inputsFromLive(inputs as unknown as JsonObject, live)).toEqual(expected);
  });
});

describe('quantities', () => {
  test.each([
    ['2048Mi', '2Gi'],
    ['1000m', '1'],
    ['1000m', 1],
    ['0.5', '500m'],
    ['1e3', '1k'],
    ['1.5Gi', '1536Mi'],
    ['100M', '100000k'],
  ])('%s is %s', (a, b) => {
    expect(parseQuantity(a)).toBe(parseQuantity(b));
    expect(parseQuantity(a)).not.toBeUndefined();
  });

  test.each([
    ['1Gi', '1G'],
    ['1', '1m'],
  ])('%s is not %s', (a, b) => {
    expect(parseQuantity(a)).not.toBe(parseQuantity(b));
  });

  test.each(['', 'abc', '1Xi', '1.2.3', '--1'])('%j is none', (value) => {
    expect(parseQuantity(value)).toBeUndefined();
  });
});

describe('values on the wire', () => {
  test('come back as they were, with their secrets where they were; null members are left out', () => {
    const secrets: readonly Path[] = [['data'], ['spec', 'list', 1]];
    const value = { data: { k: 'v' }, spec: { list: ['a', 'b'], n: 1 } };
    const decoded = decode(encode(value, secrets));
    expect(decoded.value).toEqual(value);
    expect(decoded.secrets).toEqual(secrets);
    expect(JSON.stringify(encode(value, secrets).toJavaScript())).toContain('1b47061264138c4ac30d75fd1eb44270');
    expect(decode(encode({ a: null, b: 1 })).value).toEqual({ b: 1 });
  });

  test('a path that leads nowhere marks nothing', () => {
    expect(decode(encode({ a: 1 }, [['b']])).secrets).toEqual([]);
  });

  test('an unknown is seen at any depth', () => {
    expect(hasUnknown({ a: [{ b: UNKNOWN }] })).toBe(true);
    expect(hasUnknown({ a: [{ b: 'known' }] })).toBe(false);
  });
});
