import { describe, expect, test } from 'vitest';
import { type CheckInput, check } from '../../../stacks/src/provider/check.ts';
import { comparable } from '../../../stacks/src/provider/compare.ts';
import {
  fieldManagerFor,
  idOf,
  importedInputs,
  outputsOf,
  parseId,
  parseType,
  secretPaths,
  toCluster,
  toState,
} from '../../../stacks/src/provider/layout.ts';
import { isMarkedBy, marked, markOf, withoutMark } from '../../../stacks/src/provider/mark.ts';
import { isOtherCluster } from '../../../stacks/src/provider/settings.ts';
import { typeOfUrn, urnAtRoot } from '../../../stacks/src/provider/urn.ts';
import { UNKNOWN } from '../../../stacks/src/provider/wire.ts';

const checked = (news: CheckInput['news'], more: Partial<CheckInput> = {}) =>
  check({
    type: 'kubernetes:core/v1:ConfigMap',
    resourceName: 'My Map',
    news,
    olds: undefined,
    randomSeed: Buffer.from('seed'),
    autonaming: undefined,
    namespaced: true,
    defaultNamespace: 'default',
    ...more,
  });

describe('inputs', () => {
  test('get kind and version from the type, and the default namespace where they name none', () => {
    expect(checked({ metadata: { name: 'a' } }).inputs).toEqual({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'a', namespace: 'default' },
    });
    const cluster = { type: 'kubernetes:core/v1:Namespace', namespaced: false };
    expect(checked({ metadata: { name: 'a' } }, cluster).inputs.metadata).toEqual({ name: 'a' });
  });

  test('without a name get one that stays', () => {
    const first = checked({}).inputs;
    expect(first.metadata).toMatchObject({
      name: expect.stringMatching(/^my-map-[0-9a-f]{8}$/),
      annotations: { 'pulumi.com/autonamed': 'true' },
    });
    expect(checked({}, { olds: first, randomSeed: Buffer.from('other') }).inputs).toEqual(first);
    expect(checked({}, { randomSeed: Buffer.from('other') }).inputs).not.toEqual(first);
    expect(checked({ metadata: { generateName: 'job-' } }).inputs.metadata).toMatchObject({
      name: expect.stringMatching(/^job-[0-9a-f]{8}$/),
    });
    const proposed = { autonaming: { mode: 'propose', name: 'proposed' } } as const;
    expect(checked({}, proposed).inputs.metadata).toMatchObject({ name: 'proposed' });
  });

  test.each([
    ['another kind than the type’s', { kind: 'Secret', metadata: { name: 'a' } }, {}, 'kind'],
    ['another version than the type’s', { apiVersion: 'v2', metadata: { name: 'a' } }, {}, 'apiVersion'],
    [
      'a namespace for a kind that has none',
      { metadata: { name: 'a', namespace: 'n' } },
      { namespaced: false },
      'metadata.namespace',
    ],
    ['no name where names are not made', {}, { autonaming: { mode: 'disabled', name: '' } }, 'metadata.name'],
    ['a type that is no Kubernetes type', {}, { type: 'aws:s3:Bucket' }, ''],
    ['a release of Helm', {}, { type: 'kubernetes:helm.sh/v3:Release' }, ''],
    ['a patch of another’s object', { kind: 'Namespace' }, { type: 'kubernetes:core/v1:NamespacePatch' }, ''],
    [
      'an annotation that is not supported',
      { metadata: { name: 'a', annotations: { 'pulumi.com/replaceUnready': 'true' } } },
      {},
      'metadata.annotations["pulumi.com/replaceUnready"]',
    ],
    [
      'an expectation that is not understood',
      { metadata: { name: 'a', annotations: { 'pulumi.com/waitFor': 'jsonpath={.items[*]}' } } },
      {},
      'metadata.annotations["pulumi.com/waitFor"]',
    ],
  ] as const)('with %s are refused', (_, news, more, property) => {
    expect(checked(news, more).failures.map((failure) => failure.property)).toEqual([property]);
  });

  test('of a Secret are kept as the server stores them', () => {
    const secret = { type: 'kubernetes:core/v1:Secret' };
    const plain = { metadata: { name: 's' }, data: { a: 'YQ==' }, stringData: { b: 'b' } };
    expect(checked(plain, secret).inputs).toMatchObject({ data: { a: 'YQ==', b: 'Yg==' } });
    expect(checked(plain, secret).inputs).not.toHaveProperty('stringData');
    const later = { metadata: { name: 's' }, stringData: { b: UNKNOWN } };
    expect(checked(later, secret).inputs).toMatchObject(later);
  });
});

describe('the state’s layout', () => {
  const live = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', namespace: 'n', uid: 'u', resourceVersion: '7', managedFields: [{}], labels: { x: 'y' } },
    data: { k: 'v' },
  };

  test('is the official provider’s', () => {
    expect(outputsOf(live, { data: { k: 'v' } }, 'pulumi-kubernetes-12345678', 'v1')).toEqual({
      ...live,
      __inputs: { data: { k: 'v' } },
      __initialApiVersion: 'v1',
      __fieldManager: 'pulumi-kubernetes-12345678',
    });
    expect(idOf(live)).toBe('n/a');
    expect(parseId('n/a')).toEqual({ namespace: 'n', name: 'a' });
    expect(parseId('a')).toEqual({ namespace: undefined, name: 'a' });
    expect(parseType('kubernetes:core/v1:ConfigMap')).toEqual({ apiVersion: 'v1', kind: 'ConfigMap' });
    expect(parseType('kubernetes:apps/v1:Deployment')).toEqual({ apiVersion: 'apps/v1', kind: 'Deployment' });
  });

  test('a resource’s field manager follows from its URN, and stays when it moves under a parent', () => {
    const urn = 'urn:pulumi:s::p::my:index:Part$kubernetes:core/v1:ConfigMap::a';
    expect(typeOfUrn(urn)).toBe('kubernetes:core/v1:ConfigMap');
    expect(fieldManagerFor(urn)).toMatch(/^pulumi-kubernetes-[0-9a-f]{8}$/);
    expect(fieldManagerFor(urn)).toBe(fieldManagerFor('urn:pulumi:s::p::kubernetes:core/v1:ConfigMap::a'));
    expect(fieldManagerFor(`${urn}b`)).not.toBe(fieldManagerFor(urn));
  });

  test('an imported object’s inputs are without what the server and the provider alone write', () => {
    expect(importedInputs({ ...marked(live, 'urn:pulumi:s::p::t::a'), status: {} })).toEqual({
      ...live,
      metadata: { name: 'a', namespace: 'n', labels: { x: 'y' } },
    });
  });

  test('the mark names the resource, and whoever compares does not see it', () => {
    const urn = 'urn:pulumi:s::p::kubernetes:core/v1:ConfigMap::n/a';
    expect(markOf(live)).toBe('');
    expect(markOf(marked(live, urn))).toBe(urn);
    expect(markOf(marked(marked(live, `${urn}b`), urn))).toBe(urn);
    expect(withoutMark(marked(live, urn))).toEqual(live);
    expect(comparable(marked(live, urn))).toEqual(comparable(live));
    const annotated = { ...live, metadata: { ...live.metadata, annotations: { k: 'v' } } };
    expect(withoutMark(marked(annotated, urn))).toEqual(annotated);
  });

  test('a mark from before a resource moved under a parent is its own; that of another parent’s resource is not', () => {
    const atRoot = 'urn:pulumi:s::p::kubernetes:core/v1:ConfigMap::n/a::b';
    const under = (parents: string) => `urn:pulumi:s::p::${parents}$kubernetes:core/v1:ConfigMap::n/a::b`;
    const urn = under('my:index:Part');
    expect([urnAtRoot(urn), urnAtRoot(under('my:a:A$my:b:B')), urnAtRoot(atRoot)]).toEqual([atRoot, atRoot, atRoot]);
    expect([atRoot, urn].map((mark) => isMarkedBy(marked(live, mark), urn))).toEqual([true, true]);
    const others = [under('my:index:Other'), `${atRoot}c`, atRoot.replace(':s:', ':t:'), ''];
    expect(others.map((mark) => isMarkedBy(marked(live, mark), urn))).toEqual(others.map(() => false));
    expect(isMarkedBy(marked(live, urn), atRoot)).toBe(false);
    expect(isMarkedBy(live, urn)).toBe(false);
  });

  test('a definition’s extension keys have underscores in the state, hyphens on the cluster; other kinds stay', () => {
    const definition = { kind: 'CustomResourceDefinition', spec: { a: [{ x_kubernetes_list_type: 'map' }] } };
    const cluster = { kind: 'CustomResourceDefinition', spec: { a: [{ 'x-kubernetes-list-type': 'map' }] } };
    expect(toCluster(definition)).toEqual(cluster);
    expect(toState(cluster)).toEqual(definition);
    const other = { kind: 'ConfigMap', data: { x_kubernetes_list_type: 'map' } };
    expect(toCluster(other)).toEqual(other);
  });

  test('what was secret in the inputs is secret in both copies, and so is every value of a Secret', () => {
    expect(secretPaths('ConfigMap', 'v1', [['data', 'k']])).toEqual([
      ['data', 'k'],
      ['__inputs', 'data', 'k'],
    ]);
    expect(secretPaths('Secret', 'v1', [])).toContainEqual(['__inputs', 'data']);
    expect(secretPaths('Secret', 'acme.io/v1', [])).toEqual([]);
  });
});

test.each([
  ['another server', { kubeconfig: 'a' }, { kubeconfig: 'b' }, true],
  ['another way to the same server', { kubeconfig: 'a', context: 'x' }, { kubeconfig: 'a', context: 'y' }, false],
  ['a kubeconfig that cannot be read any more', { kubeconfig: 'gone' }, { kubeconfig: 'a' }, false],
])('every object moves for %s: %j → %j: %s', async (_, before, after, expected) => {
  const serverOf = async ({ kubeconfig = '' }: { readonly kubeconfig?: string }): Promise<string> => {
    if (kubeconfig === 'gone') throw new Error('no such file');
    return `https://${kubeconfig}`;
  };
  expect(await isOtherCluster(before, after, serverOf)).toBe(expected);
});
