import type { Json, JsonObject, Path } from '@delos/kube';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FieldType } from '../../../stacks/src/kube/schema.ts';
import { changes, renderPath } from '../../../stacks/src/provider/compare.ts';
import { inputsFromLive } from '../../../stacks/src/provider/drift.ts';
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
    // A whole container more or less is no change of its image.
    ['v1', 'Pod', ['spec', 'containers', 1], true],
    ['v1', 'Pod', ['spec', 'containers'], true],
    ['v1', 'Pod', ['spec', 'tolerations', 0], false],
    ['policy/v1', 'PodDisruptionBudget', ['spec', 'minAvailable'], false],
    ['batch/v1', 'Job', ['spec', 'parallelism'], false],
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

  test('without a type every difference counts', () => {
    for (const [before, after] of [
      [{ a: {} }, {}],
      [{ a: [{}] }, { a: [] }],
      [{ a: '1.10' }, { a: '1.1' }],
      [{ a: '2048Mi' }, { a: '2Gi' }],
      [{ a: 1 }, { a: '1' }],
    ] as const) {
      expect(changes(before, after), JSON.stringify([before, after])).toHaveLength(1);
    }
  });

  test.each([
    ['a rule that allows all is not no rule', { rules: [{}] }, { rules: [] }, ['rules[0]']],
    ['an empty list is none', { rules: [] }, {}, []],
    ['an empty map is none', {}, { labels: {} }, []],
    ['an empty struct that may be missing is not none', { selector: {} }, {}, ['selector']],
    ['an empty struct that is always there is none', { resources: {} }, {}, []],
    ['a text that looks like a number is a text', { labels: { v: '1.10' } }, { labels: { v: '1.1' } }, ['labels.v']],
    ['a text that looks like a quantity is a text', { labels: { v: '1000m' } }, { labels: { v: '1' } }, ['labels.v']],
    ['a quantity is an amount', { memory: '2048Mi' }, { memory: '2Gi' }, []],
    ['another amount is a change', { memory: '2G' }, { memory: '2Gi' }, ['memory']],
    ['a number of a port is not its name', { port: 80 }, { port: '80' }, ['port']],
    ['a time is an instant', { since: '2026-01-01T01:00:00+01:00' }, { since: '2026-01-01T00:00:00Z' }, []],
    ['a set has no order', { finalizers: ['a', 'b'] }, { finalizers: ['b', 'a'] }, []],
    ['a list of its own kind has an order', { args: ['a', 'b'] }, { args: ['b', 'a'] }, ['args[0]', 'args[1]']],
    [
      'items are told apart by their keys',
      { ports: [{ port: 1 }, { port: 2 }] },
      { ports: [{ port: 2, protocol: 'TCP', name: 'x' }] },
      ['ports[0]', 'ports[0].name', 'ports[0].protocol'],
    ],
  ] as const)('by type: %s', (_, before, after, expected) => {
    const found = changes(before as unknown as JsonObject, after as unknown as JsonObject, TYPE);
    expect(found.map(({ path }) => renderPath(path)).sort()).toEqual(expected);
  });

  test('a custom resource is kept as it was sent', () => {
    const custom = new FieldType(DOCUMENT, DOCUMENT.components.schemas['com.example.v1.Widget'], false);
    expect(changes({ list: [] }, {}, custom)).toHaveLength(1);
    expect(changes({ memory: '2048Mi' }, { memory: '2Gi' }, custom)).toHaveLength(1);
    expect(custom.immutableAt(['fixed', 'inner'])).toBe(true);
    expect(custom.immutableAt(['memory'])).toBe(false);
  });
});

/** As the API server publishes its own types. */
const DOCUMENT = {
  components: {
    schemas: {
      'io.k8s.api.example.v1.Thing': {
        type: 'object',
        properties: {
          rules: { type: 'array', items: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.example.v1.Rule' }] } },
          labels: { type: 'object', additionalProperties: { type: 'string', default: '' } },
          selector: { $ref: '#/components/schemas/io.k8s.api.example.v1.Rule' },
          resources: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.example.v1.Rule' }], default: {} },
          memory: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity' },
          cpu: { $ref: '#/components/schemas/io.k8s.apimachinery.pkg.api.resource.Quantity' },
          port: { oneOf: [{ type: 'integer' }, { type: 'string' }], format: 'int-or-string' },
          since: { type: 'string', format: 'date-time' },
          finalizers: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
          args: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'atomic' },
          replicas: { type: 'integer' },
          paused: { type: 'boolean' },
          ports: {
            type: 'array',
            'x-kubernetes-list-type': 'map',
            'x-kubernetes-list-map-keys': ['port', 'protocol'],
            items: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.example.v1.Port' }], default: {} },
          },
        },
      },
      'io.k8s.api.example.v1.Rule': { type: 'object', properties: { from: { type: 'array', items: {} } } },
      'io.k8s.api.example.v1.Port': {
        type: 'object',
        properties: {
          name: { type: 'string' },
          port: { type: 'integer', default: 0 },
          protocol: { type: 'string', default: 'TCP' },
        },
      },
      'io.k8s.apimachinery.pkg.api.resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
      'com.example.v1.Widget': {
        type: 'object',
        properties: {
          list: { type: 'array', items: { type: 'string' } },
          memory: { 'x-kubernetes-int-or-string': true },
          fixed: {
            type: 'object',
            properties: { inner: { type: 'string' } },
            'x-kubernetes-validations': [{ rule: 'self == oldSelf' }],
          },
        },
      },
    },
  },
};
const TYPE = new FieldType(DOCUMENT, { $ref: '#/components/schemas/io.k8s.api.example.v1.Thing' }, false);

describe('inputs read back from the cluster', () => {
  const live = {
    labels: { a: '1.1', injected: '2' },
    replicas: 3,
    memory: '2Gi',
    cpu: 1,
    rules: [{}],
    finalizers: ['theirs', 'ours'],
    ports: [
      { name: 'injected', port: 9, protocol: 'TCP' },
      { name: 'p', port: 1, protocol: 'TCP' },
    ],
    paused: true,
  };
  test.each([
    ['a field of equal value stays', { replicas: 3 }, { replicas: 3 }],
    ['a field that drifted takes the live value', { replicas: 1 }, { replicas: 3 }],
    [
      'a quantity written otherwise stays as written',
      { memory: '2048Mi', cpu: '1000m' },
      { memory: '2048Mi', cpu: '1000m' },
    ],
    ['a text that drifted to one that looks the same is seen', { labels: { a: '1.10' } }, { labels: { a: '1.1' } }],
    ['an empty list that the server dropped stays', { args: [] }, { args: [] }],
    ['a list that was emptied or filled is seen', { rules: [] }, { rules: [{}] }],
    ['a field that was removed goes', { gone: 'v' }, {}],
    ['what others added to a map stays out', { labels: { a: '1.1' } }, { labels: { a: '1.1' } }],
    ['what others added to a set stays out', { finalizers: ['ours'] }, { finalizers: ['ours'] }],
    [
      'what others added to a list of keys stays out, as do defaults',
      { ports: [{ port: 1 }] },
      { ports: [{ port: 1 }] },
    ],
    ['an item that is gone goes', { ports: [{ port: 1 }, { port: 2 }] }, { ports: [{ port: 1 }] }],
    ['a false that became true takes the live value', { paused: false }, { paused: true }],
  ] as const)('%s', (_, inputs, expected) => {
    expect(inputsFromLive(inputs as unknown as JsonObject, live, TYPE).inputs).toEqual(expected);
  });

  test('a zero that is not there is in doubt: it stays where the server drops it, and goes where it was taken away', () => {
    const inputs = { labels: { a: '1.1' }, hostNetwork: false, automount: false };
    const { inputs: same, doubts } = inputsFromLive(inputs, live, TYPE);
    expect(same).toEqual(inputs);
    expect(doubts).toEqual([['hostNetwork'], ['automount']]);
    const judged = inputsFromLive(inputs, live, TYPE, ([field]) => field === 'hostNetwork');
    expect(judged.inputs).toEqual({ labels: { a: '1.1' }, hostNetwork: false });
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
