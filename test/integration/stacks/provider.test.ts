import { resolveTool } from '@delos/cluster';
import { silent } from '@delos/core';
import { type JsonObject, objectAt, text } from '@delos/kube';
import { connect } from '@delos/stacks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { renderPath } from '../../../stacks/src/provider/compare.ts';
import { diff } from '../../../stacks/src/provider/diff.ts';
import { FIELD_MANAGER } from '../../../stacks/src/provider/layout.ts';
import { create, read, update, type Work } from '../../../stacks/src/provider/operations.ts';
import { previewOfCreation } from '../../../stacks/src/provider/preview.ts';
import { UNKNOWN } from '../../../stacks/src/provider/wire.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { configMap as configMapObject, deployment } from '../../support/test-stack.ts';

let plane: ControlPlane;
let ns: string;
let count = 0;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
});

afterAll(() => plane?.stop());

beforeEach(async () => {
  count += 1;
  ns = `provider-${count}`;
  const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: ns } };
  await plane.client.api.request('POST', '/api/v1/namespaces', { body });
});

const SKIP = { 'pulumi.com/skipAwait': 'true' };
const mutable = { configMaps: true, secrets: true };

const plain = (manifest: object): JsonObject => JSON.parse(JSON.stringify(manifest)) as JsonObject;

function workOn(inputs: JsonObject, more: Partial<Work> = {}): Work {
  const type = `${text(inputs, 'apiVersion').replace(/^v/, 'core/v')}:${text(inputs, 'kind')}`;
  return {
    client: plane.client,
    urn: `urn:pulumi:s::p::kubernetes:${type}::${ns}/${text(inputs, 'metadata', 'name')}`,
    signal: new AbortController().signal,
    timeout: 0,
    report: () => undefined,
    ...more,
  };
}

const metadata = (name: string, more: object = {}) => ({ name, namespace: ns, annotations: SKIP, ...more });

/** The difference between two programs' inputs, of which the cluster has the first. */
async function differenceOf(before: object, after: object, more: Partial<Work> = {}) {
  const [olds, news] = [plain(before), plain(after)];
  const work = workOn(olds);
  const made = await create(olds, work);
  const outputs = { ...made.object, [FIELD_MANAGER]: made.fieldManager };
  const found = await diff({ inputs: olds, outputs }, news, mutable, { ...work, ...more });
  return {
    changed: found.changes.map(({ path }) => renderPath(path)).sort(),
    replaced: found.replaces.map(({ path }) => renderPath(path)).sort(),
    deleteBeforeReplace: found.deleteBeforeReplace,
  };
}

const policy = (spec: object) => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: metadata('p'),
  spec,
});
const pod = (containers: readonly object[], more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: metadata('p', more),
  spec: { containers },
});
const container = (name: string, more: object = {}) => ({ name, image: 'nowhere.example/none:1', ...more });
const disruptions = (spec: object) => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: metadata('p'),
  spec: { selector: { matchLabels: { a: 'b' } }, ...spec },
});
const configMap = (data: Record<string, string>, more: object = {}) =>
  plain(configMapObject(ns, 'c', data, { annotations: SKIP, ...more }).manifest);

describe('a difference is what the server would change', () => {
  const open = { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] };

  test('from a rule that allows all to none is a change', async () => {
    const found = await differenceOf(policy(open), policy({ ...open, ingress: [] }));
    expect(found).toMatchObject({ changed: ['spec.ingress'], replaced: [] });
  });

  test('a selector that selects all is not none', async () => {
    const from = (peer: object) => ({ ...open, ingress: [{ from: [{ podSelector: {}, ...peer }] }] });
    const found = await differenceOf(policy(from({ namespaceSelector: {} })), policy(from({})));
    expect(found.changed).toEqual(['spec.ingress[0].from[0].namespaceSelector']);
  });

  test('a quantity written otherwise is none; a text that looks the same is one', async () => {
    const limits = (memory: string) => pod([container('a', { resources: { limits: { memory } } })]);
    expect((await differenceOf(limits('2048Mi'), limits('2Gi'))).changed).toEqual([]);
    const found = await differenceOf(configMap({ v: '1.10' }), configMap({ v: '1.1' }));
    expect(found).toMatchObject({ changed: ['data.v'], replaced: [] });
  });

  test('a changed budget for disruptions is an update in place', async () => {
    const found = await differenceOf(disruptions({ minAvailable: 1 }), disruptions({ minAvailable: 2 }));
    expect(found).toMatchObject({ changed: ['spec.minAvailable'], replaced: [] });
  });

  test('a Pod’s further container replaces it, its changed image does not', async () => {
    const found = await differenceOf(pod([container('a')]), pod([container('a'), container('b')]));
    expect(found).toMatchObject({ replaced: ['spec.containers[1]'], deleteBeforeReplace: true });
    await plane.client.delete({ apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: ns }, 'Background');
    const other = await differenceOf(pod([container('a')]), pod([container('a', { image: 'nowhere.example/none:2' })]));
    expect(other).toMatchObject({ changed: ['spec.containers[0].image'], replaced: [] });
  });

  test('an object whose name was made up is replaced before it is deleted', async () => {
    const named = { annotations: { ...SKIP, 'pulumi.com/autonamed': 'true' } };
    const found = await differenceOf(pod([container('a')], named), pod([container('a'), container('b')], named));
    expect(found).toMatchObject({ replaced: ['spec.containers[1]'], deleteBeforeReplace: false });
  });

  test('an object that took the place of the one in the state is not asked: what the program changed stands', async () => {
    const before = plain(pod([container('a')]));
    const after = plain(pod([container('b')]));
    const work = workOn(before);
    const { object, fieldManager } = await create(before, work);
    await plane.client.delete({ apiVersion: 'v1', kind: 'Pod', name: 'p', namespace: ns }, 'Background');
    await create(after, work);
    const outputs = { ...object, [FIELD_MANAGER]: fieldManager };
    const found = await diff({ inputs: before, outputs }, after, mutable, work);
    expect(found.replaces).toEqual([{ path: ['spec', 'containers', 0], kind: 'update' }]);
    expect(found.deleteBeforeReplace).toBe(true);
  });

  test('a replacement that something else asks for deletes first where the name is fixed', async () => {
    const object = configMap({ v: '1' });
    expect(await differenceOf(object, object)).toEqual({ changed: [], replaced: [], deleteBeforeReplace: true });
  });

  test('where the server cannot be reached, the inputs are compared, and a table says what cannot change', async () => {
    const kubeconfig = JSON.stringify(
      {
        apiVersion: 'v1',
        kind: 'Config',
        'current-context': 'x',
        clusters: [{ name: 'x', cluster: { server: 'http://127.0.0.1:1' } }],
        users: [{ name: 'x', user: {} }],
        contexts: [{ name: 'x', context: { cluster: 'x', user: 'x' } }],
      },
      undefined,
      1,
    );
    const client = await connect({ kubeconfig });
    const said: string[] = [];
    const report = (message: string): void => void said.push(message);
    const olds = pod([container('a')]);
    const found = await differenceOf(olds, pod([container('a'), container('b')]), { client, report });
    expect(found).toMatchObject({ changed: ['spec.containers[1]'], replaced: ['spec.containers[1]'] });
    expect(said.join()).toContain("compared by the program's inputs alone");
  });
});

test('a field that a definition says stays as it is replaces its object', async () => {
  const group = `g${count}.example.com`;
  const definition = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `widgets.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schemaOfWidget } }],
    },
  };
  const doing = workOn(plain(definition));
  expect(await create(plain(definition), doing)).toMatchObject({ problem: undefined });
  const widget = (spec: object) => ({ apiVersion: `${group}/v1`, kind: 'Widget', metadata: metadata('w'), spec });
  // The server publishes the schema of a definition a moment after it.
  await expect.poll(() => plane.client.schemas.of(`${group}/v1`, 'Widget'), { timeout: 30_000 }).toBeDefined();
  const found = await differenceOf(widget({ fixed: 'a', list: ['x'] }), widget({ fixed: 'b', list: ['x'] }));
  expect(found).toMatchObject({ replaced: ['spec.fixed'], deleteBeforeReplace: true });
  const object = plain(widget({ fixed: 'a', list: ['x'] }));
  const emptied = plain(widget({ fixed: 'a', list: [] }));
  const made = await create(object, workOn(object));
  const outputs = { [FIELD_MANAGER]: made.fieldManager };
  const emptiness = await diff({ inputs: object, outputs }, emptied, mutable, workOn(object));
  expect(emptiness.changes).not.toEqual([]);
});

const schemaOfWidget = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        fixed: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'set once' }] },
        list: { type: 'array', items: { type: 'string' } },
      },
    },
  },
};

describe('drift', () => {
  /** The inputs as a refresh finds them after a change in the cluster. */
  async function refreshed(inputs: JsonObject, path: string, patch: object) {
    const work = workOn(inputs);
    const made = await create(inputs, work);
    const contentType = 'application/merge-patch+json';
    await plane.client.api.request('PATCH', path, {
      contentType,
      body: plain(patch),
      query: { fieldManager: 'somebody' },
    });
    const id = `${ns}/${text(inputs, 'metadata', 'name')}`;
    const type = `kubernetes:${text(inputs, 'apiVersion').replace(/^v/, 'core/v')}:${text(inputs, 'kind')}`;
    const old = { inputs, outputs: { [FIELD_MANAGER]: made.fieldManager } };
    return (await read(id, type, old, work))?.inputs;
  }

  test('from one text to another that looks like the same number is seen', async () => {
    const inputs = configMap({ v: '1.10', w: '1000m' });
    const path = `/api/v1/namespaces/${ns}/configmaps/c`;
    const found = await refreshed(inputs, path, { data: { v: '1.1', w: '1', more: 'x' } });
    expect(found).toEqual({ ...inputs, data: { v: '1.1', w: '1' } });
  });

  test('of a false that was taken away is seen, and one that the server drops is none', async () => {
    const full = plain(deployment(ns, 'd').manifest);
    const spec = objectAt(full, 'spec', 'template', 'spec');
    const template = { ...objectAt(full, 'spec', 'template'), spec: { ...spec, automountServiceAccountToken: false } };
    const inputs = { ...full, metadata: metadata('d'), spec: { ...objectAt(full, 'spec'), template } };
    const path = `/apis/apps/v1/namespaces/${ns}/deployments/d`;
    const taken = { spec: { template: { spec: { automountServiceAccountToken: null } } } };
    const expected = { ...inputs, spec: { ...objectAt(inputs, 'spec'), template: { ...template, spec } } };
    expect(await refreshed(plain(inputs), path, taken)).toEqual(plain(expected));
  });
});

describe('an object that another tool made by POST, as the official provider and kubectl do,', () => {
  const officials = async (manager: string) => {
    const body = configMap({ keep: '1', gone: '1' });
    const query = { fieldManager: manager };
    await plane.client.api.request('POST', `/api/v1/namespaces/${ns}/configmaps`, { body, query });
    return body;
  };

  test.each(['pulumi-kubernetes', 'kubectl-client-side-apply', 'kubectl-create'])(
    'loses what the program leaves out, as the preview says: %s',
    async (manager) => {
      const inputs = await officials(manager);
      const news = configMap({ keep: '2' });
      const work = workOn(inputs);
      const found = await diff({ inputs, outputs: {} }, news, mutable, work);
      expect(found.changes.map(({ path }) => renderPath(path)).sort()).toEqual(['data.gone', 'data.keep']);
      const { object } = await update(news, {}, work);
      expect(object.data).toEqual({ keep: '2' });
    },
  );

  test('keeps what is no such tool’s', async () => {
    const inputs = await officials('controller');
    const { object } = await update(configMap({ keep: '1' }), {}, { ...workOn(inputs), force: true });
    expect(object.data).toEqual({ keep: '1', gone: '1' });
  });
});

describe('a field that another manager has set since', () => {
  const changed = async () => {
    const inputs = configMap({ v: 'ours' });
    const made = await create(inputs, workOn(inputs));
    const path = `/api/v1/namespaces/${ns}/configmaps/c`;
    const contentType = 'application/merge-patch+json';
    const query = { fieldManager: 'somebody' };
    await plane.client.api.request('PATCH', path, { contentType, body: { data: { v: 'theirs' } }, query });
    return { inputs, outputs: { [FIELD_MANAGER]: made.fieldManager } };
  };

  test('is taken back with enablePatchForce or the object’s annotation, as our provider reads the official one’s options; else it is a conflict', async () => {
    const { inputs, outputs } = await changed();
    await expect(update(inputs, outputs, workOn(inputs))).rejects.toThrow('conflict with "somebody"');
    const forced = {
      ...inputs,
      metadata: metadata('c', { annotations: { ...SKIP, 'pulumi.com/patchForce': 'true' } }),
    };
    expect((await update(plain(forced), outputs, workOn(inputs))).object.data).toEqual({ v: 'ours' });
    expect((await update(inputs, outputs, { ...workOn(inputs), force: true })).object.data).toEqual({ v: 'ours' });
  });

  test('stays where its changes are ignored', async () => {
    const { inputs, outputs } = await changed();
    const news = configMap({ v: 'ours', w: 'new' });
    const work = { ...workOn(inputs), force: true, ignoreChanges: ['data.v'] };
    const found = await diff({ inputs, outputs }, news, mutable, work);
    expect(found.changes.map(({ path }) => renderPath(path))).toEqual(['data.w']);
    expect((await update(news, outputs, work)).object.data).toEqual({ v: 'theirs', w: 'new' });
  });
});

test('an object is waited for as its annotation says', async () => {
  const wait = { 'pulumi.com/waitFor': 'jsonpath={.data.state}=done', 'pulumi.com/timeoutSeconds': '2' };
  const inputs = configMap({ state: 'begun' }, { annotations: wait });
  expect((await create(inputs, workOn(inputs))).problem).toContain('data.state is not done yet, but begun');
  const done = configMap({ state: 'done' }, { annotations: wait });
  expect((await update(done, {}, workOn(inputs))).problem).toBeUndefined();
});

describe('the preview of a creation', () => {
  test('shows what the server fills in, and makes nothing', async () => {
    const inputs = plain({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata('s'),
      spec: { ports: [{ port: 80 }] },
    });
    const shown = await previewOfCreation(inputs, workOn(inputs));
    expect(shown).toMatchObject({ spec: { type: 'ClusterIP', ports: [{ port: 80, protocol: 'TCP' }] } });
    // A dry run makes up an address and a uid; the creation makes up others.
    expect(shown).toMatchObject({ spec: { clusterIP: UNKNOWN }, metadata: { uid: UNKNOWN, name: 's' } });
    const ref = { apiVersion: 'v1', kind: 'Service', name: 's', namespace: ns };
    expect(await plane.client.tryGet(ref)).toBeUndefined();
  });

  test('refuses what the server would refuse', async () => {
    const inputs = plain({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: metadata('s'),
      spec: { ports: [{ port: 99999 }] },
    });
    await expect(previewOfCreation(inputs, workOn(inputs))).rejects.toThrow('spec.ports[0].port');
  });

  test('shows the inputs where the namespace is made by the same program', async () => {
    const inputs = plain({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'not-yet' } });
    expect(await previewOfCreation(inputs, workOn(inputs))).toMatchObject(inputs);
  });
});
