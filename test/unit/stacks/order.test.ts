import type { Manifest, SynthesizedObject } from '@delos/constructs';
import { ordered, resourceName, servicesBeforeTheirBackends, typeToken } from '@delos/stacks';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

const object = (id: string, manifest: Manifest, dependsOn: readonly string[] = []): SynthesizedObject => ({
  id,
  manifest,
  dependsOn,
  secrets: {},
});
const map = (name: string, dependsOn: readonly string[] = []): SynthesizedObject =>
  object(name, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'ns' } }, dependsOn);

describe('an object’s identity', () => {
  test.each([
    ['v1', 'Secret', 'kubernetes:core/v1:Secret'],
    ['apps/v1', 'Deployment', 'kubernetes:apps/v1:Deployment'],
    ['acme.io/v1beta1', 'Widget', 'kubernetes:acme.io/v1beta1:Widget'],
  ])('%s %s is of type %s', (apiVersion, kind, token) => {
    expect(typeToken({ apiVersion, kind })).toBe(token);
  });

  test('its resource is called as the cluster calls it', () => {
    expect(resourceName({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n' } })).toBe('n/s');
    expect(resourceName({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'n' } })).toBe('n');
  });
});

describe('order', () => {
  test('every object comes after all it depends on, whatever order they are given in', () => {
    const graph = fc
      .array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 1, maxLength: 20 })
      // Depending on lower numbers alone, so that there is no cycle.
      .map((edges) =>
        edges.map((targets, index) =>
          map(`c${index}`, index === 0 ? [] : targets.map((target) => `c${target % index}`)),
        ),
      );
    fc.assert(
      fc.property(
        graph.chain((objects) => fc.shuffledSubarray(objects, { minLength: objects.length })),
        (objects) => {
          const result = ordered(objects);
          expect(result).toHaveLength(objects.length);
          const place = new Map(result.map(({ id }, index) => [id, index]));
          for (const { id, dependsOn } of result) {
            for (const needed of dependsOn) expect(place.get(needed)).toBeLessThan(place.get(id) ?? -1);
          }
        },
      ),
    );
  });

  test('a namespace and the definition of a kind come first without being asked for', () => {
    const space = object('space', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ns' } });
    const definition = object('definition', {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: 'widgets.acme.io' },
      spec: { group: 'acme.io', names: { kind: 'Widget' } },
    });
    const widget = object('widget', {
      apiVersion: 'acme.io/v1',
      kind: 'Widget',
      metadata: { name: 'w', namespace: 'ns' },
    });
    const result = ordered([widget, definition, space]);
    expect(result.at(-1)?.id).toBe('widget');
    expect([...(result.at(-1)?.dependsOn ?? [])].sort()).toEqual(['definition', 'space']);
  });

  test.each([
    ['a cycle', [map('a', ['b']), map('b', ['a'])], 'a → b → a'],
    ['an unknown dependency', [map('a', ['gone'])], 'a waits for gone, which is not there'],
    [
      'two objects of one identity',
      [map('a'), { ...map('a'), id: 'twin' }],
      'the same object: kubernetes:core/v1:ConfigMap ns/a',
    ],
  ])('%s is refused by name', (_, objects, message) => {
    expect(() => ordered(objects)).toThrow(message);
  });

  test('a Service is not waited for before its own backends, but before others it is', () => {
    const service = object('service', {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'db', namespace: 'ns' },
      spec: { selector: { app: 'db' } },
    });
    const backend = (id: string, app: string): SynthesizedObject =>
      object(
        id,
        {
          apiVersion: 'apps/v1',
          kind: 'StatefulSet',
          metadata: { name: id, namespace: 'ns' },
          spec: { template: { metadata: { labels: { app } } } },
        },
        ['service'],
      );
    expect([...servicesBeforeTheirBackends([service, backend('db', 'db')])]).toEqual(['service']);
    expect([...servicesBeforeTheirBackends([service, backend('api', 'api')])]).toEqual([]);
  });
});
