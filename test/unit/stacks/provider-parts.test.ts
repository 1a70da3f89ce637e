import { describe, expect, test } from 'vitest';
import { judgeWaitFor } from '../../../stacks/src/await/wait-for.ts';
import { decodeYaml } from '../../../stacks/src/provider/functions.ts';
import { parsePropertyPath, withLiveValues } from '../../../stacks/src/provider/ignore-changes.ts';
import { marked } from '../../../stacks/src/provider/mark.ts';
import { takenOver } from '../../../stacks/src/provider/ownership.ts';
import { refusedFunction, refusedOptions } from '../../../stacks/src/provider/unsupported.ts';

describe('ownership', () => {
  const OURS = 'pulumi-kubernetes-12345678';
  const entry = (manager: string, operation: string, field: string, more: object = {}) => ({
    manager,
    operation,
    apiVersion: 'v1',
    fieldsType: 'FieldsV1',
    fieldsV1: { 'f:data': { '.': {}, [`f:${field}`]: {} } },
    ...more,
  });
  const object = (...managedFields: readonly ReturnType<typeof entry>[]) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'a', managedFields },
  });

  test('of what the official provider made by POST becomes ours', () => {
    const other = entry('controller', 'Update', 'c');
    expect(takenOver(object(entry('pulumi-kubernetes', 'Update', 'a'), other), OURS)).toEqual([
      entry(OURS, 'Apply', 'a'),
      other,
    ]);
  });

  test('is joined to what we own already', () => {
    const joined = takenOver(object(entry('pulumi-kubernetes', 'Update', 'a'), entry(OURS, 'Apply', 'b')), OURS);
    expect(joined).toEqual([
      { ...entry(OURS, 'Apply', 'a'), fieldsV1: { 'f:data': { '.': {}, 'f:a': {}, 'f:b': {} } } },
    ]);
  });

  test.each(['kubectl-client-side-apply', 'kubectl-create', 'kubectl-edit', 'before-first-apply'])(
    'of an adopted object comes from %s too, and stays with it on an object that was ours before',
    (manager) => {
      const adopted = object(entry(manager, 'Update', 'a'));
      expect(takenOver(adopted, OURS)).toEqual([entry(OURS, 'Apply', 'a')]);
      expect(takenOver(marked(adopted, 'urn:pulumi:s::p::t::a'), OURS)).toBeUndefined();
      const officials = object(entry(manager, 'Update', 'a'), entry('pulumi-kubernetes-aaaaaaaa', 'Apply', 'b'));
      expect(takenOver(officials, OURS)).toBeUndefined();
    },
  );

  test.each([
    ['another tool', entry('argocd', 'Update', 'a')],
    ['a controller’s status', entry('kubectl-edit', 'Update', 'a', { subresource: 'status' })],
    ['an apply of another', entry('kubectl', 'Apply', 'a')],
    ['our own', entry(OURS, 'Apply', 'a')],
  ])('stays with %s', (_, other) => {
    expect(takenOver(object(other), OURS)).toBeUndefined();
  });
});

describe('ignoreChanges', () => {
  test.each([
    ['spec.replicas', ['spec', 'replicas']],
    ['metadata.annotations["a.b/c"]', ['metadata', 'annotations', 'a.b/c']],
    ['spec.containers[0].image', ['spec', 'containers', 0, 'image']],
    ['spec.containers[*].image', ['spec', 'containers', '*', 'image']],
  ])('%s is a path', (text, path) => {
    expect(parsePropertyPath(text)).toEqual(path);
  });

  test('the cluster’s value is sent at an ignored path, and nothing is added', () => {
    const inputs = { spec: { replicas: 1, list: [{ image: 'a' }, { image: 'b' }] } };
    const live = { spec: { replicas: 5, list: [{ image: 'x' }, { image: 'y' }], paused: true } };
    expect(withLiveValues(inputs, live, ['spec.replicas', 'spec.paused'])).toEqual({
      spec: { ...inputs.spec, replicas: 5 },
    });
    expect(withLiveValues(inputs, live, ['spec.list[*].image'])).toEqual({
      spec: { ...inputs.spec, list: live.spec.list },
    });
    expect(withLiveValues(inputs, {}, ['spec.replicas'])).toEqual(inputs);
  });
});

test.each([
  ['condition=Ready', true],
  ['condition=ready=true', true],
  ['condition=Ready=False', false],
  ['condition=Other', false],
  ['jsonpath={.status.phase}', true],
  ['jsonpath={.status.phase}=Bound', true],
  ['jsonpath={.status.phase}=Lost', false],
  ['jsonpath={.status.list[0].ip}=1.2.3.4', true],
  ['["condition=Ready", "jsonpath={.status.count}=2"]', true],
  ['["condition=Ready", "jsonpath={.status.none}"]', false],
])('an object waits for %s: ready is %s', (annotation, ready) => {
  const object = {
    status: { phase: 'Bound', count: 2, list: [{ ip: '1.2.3.4' }], conditions: [{ type: 'Ready', status: 'True' }] },
  };
  expect(judgeWaitFor(object, annotation).state === 'ready').toBe(ready);
});

describe('what this provider does not have is refused by its name', () => {
  test.each([
    ['renderYamlToDirectory', 'out'],
    ['enableServerSideApply', 'false'],
    ['deleteUnreachable', 'true'],
    ['upsertExistingObjects', 'true'],
    ['kubeClientSettings', '{"qps":1}'],
    ['cluster', 'c'],
  ])('the option %s=%s', (option, value) => {
    const [failure, ...others] = refusedOptions({ kubeconfig: 'k', [option]: value });
    expect(others).toEqual([]);
    expect(failure).toMatchObject({ property: option });
  });

  test('options that it has, or does anyway, pass', () => {
    const options = {
      context: 'c',
      enablePatchForce: 'true',
      enableServerSideApply: 'true',
      deleteUnreachable: 'false',
    };
    expect(refusedOptions(options)).toEqual([]);
  });

  test('charts and other components', () => {
    expect(refusedFunction('kubernetes:helm:template')).toContain('Helm');
    expect(refusedFunction('kubernetes:yaml/v2:ConfigGroup')).toContain('use yaml.ConfigGroup');
    expect(refusedFunction('kubernetes:new:Thing')).toContain('kubernetes:new:Thing');
  });
});

describe('a text of YAML documents', () => {
  test('gives its objects, those of lists too, each in the default namespace unless it names one', () => {
    const text = [
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n',
      '# nothing\n',
      'apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Secret, metadata: {name: b, namespace: c}}]\n',
    ].join('---\n');
    expect(decodeYaml({ text, defaultNamespace: 'd' })).toEqual({
      result: [
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: 'd' } },
        { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'b', namespace: 'c' } },
      ],
    });
  });

  test('is read as Kubernetes reads it', () => {
    const text = 'kind: A\ndata: {a: yes, b: 12:30, c: 2026-01-01, d: 0644, e: "1.10", f: 1e3}';
    expect(decodeYaml({ text })).toEqual({
      result: [{ kind: 'A', data: { a: true, b: '12:30', c: '2026-01-01', d: 0o644, e: '1.10', f: 1000 } }],
    });
  });

  test.each([
    ['{', 'not YAML'],
    ['a: 1', 'has no kind'],
  ])('%j is refused', (text, words) => {
    expect(() => decodeYaml({ text })).toThrow(words);
  });
});
