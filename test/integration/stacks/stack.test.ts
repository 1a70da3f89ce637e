import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { instancePaths, isDelosError, silent } from '@delos/core';
import { destroy, preview, pulumiHome, refresh, up } from '@delos/stacks';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { tryReadCheckpoint } from '../../../stacks/src/driver/state-file.ts';
import { create } from '../../../stacks/src/provider/operations.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { type PuppetNode, startPuppetNode } from '../../support/service/puppet-node.ts';
import { configMap, deployment, namespace, object, stackOf, type TestStack } from '../../support/test-stack.ts';

let plane: ControlPlane;
let node: PuppetNode;
let folder: string;
let count = 0;
let stack: TestStack;
let ns: string;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  node = await startPuppetNode(plane.client.api);
  folder = await mkdtemp(join(tmpdir(), 'delos-stacks-'));
});

afterAll(async () => {
  await node?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Each test has a stack and a namespace of its own. */
beforeEach(async () => {
  count += 1;
  ns = `space-${count}`;
  const env = { HOME: folder, XDG_STATE_HOME: join(folder, 'state') };
  stack = {
    paths: instancePaths(`test-${count}`, env),
    pulumi: await resolveTool('pulumi', silent),
    cluster: { kubeconfig: plane.kubeconfig, context: plane.context },
  };
});

const get = (apiVersion: string, kind: string, name: string) =>
  plane.client.tryGet({ apiVersion, kind, name, namespace: ns });

const patch = (path: string, body: object) =>
  plane.client.api.request('PATCH', path, { contentType: 'application/merge-patch+json', body: { ...body } });

const uidOf = (live: Awaited<ReturnType<typeof get>>): string =>
  String((live?.metadata as { uid?: string } | undefined)?.uid ?? '');

const problem = async (run: Promise<unknown>) => {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!isDelosError(error)) throw new Error(`expected a DelosError, got ${String(error)}`);
  return error;
};

describe('an update', () => {
  test('makes each object a resource of its own, and a second one changes nothing', async () => {
    const objects = [namespace(ns), configMap(ns, 'settings', { a: '1' }), deployment(ns, 'api')];
    const first = await up(stackOf(stack, objects));
    expect(first.changes).toEqual({ same: 0, create: 5, update: 0, delete: 0, replace: 0 });
    expect(first.steps.map(({ type }) => type).sort()).toEqual([
      'kubernetes:apps/v1:Deployment',
      'kubernetes:core/v1:ConfigMap',
      'kubernetes:core/v1:Namespace',
      'pulumi:providers:kubernetes',
      'pulumi:pulumi:Stack',
    ]);
    const second = await up(stackOf(stack, objects));
    expect(second.changes).toEqual({ same: 5, create: 0, update: 0, delete: 0, replace: 0 });

    const after = await preview(stackOf(stack, objects));
    expect(after.changeSummary).toEqual({ same: 5 });
    expect(new Set(after.steps.map(({ op }) => op))).toEqual(new Set(['same']));

    const scaled = [namespace(ns), configMap(ns, 'settings', { a: '1' }), deployment(ns, 'api', { replicas: 2 })];
    const seen = await preview(stackOf(stack, scaled));
    expect(seen.steps.filter(({ op }) => op !== 'same')).toEqual([
      {
        urn: `urn:pulumi:${stack.paths.instance}::delos::kubernetes:apps/v1:Deployment::${ns}/api`,
        type: 'kubernetes:apps/v1:Deployment',
        op: 'update',
      },
    ]);
    const third = await up(stackOf(stack, scaled));
    expect(third.changes).toEqual({ same: 4, create: 0, update: 1, delete: 0, replace: 0 });
    expect(await get('apps/v1', 'Deployment', 'api')).toMatchObject({ status: { readyReplicas: 2 } });
  });

  test('puts the objects of an earlier stack under their parts, and changes none of them', async () => {
    const objects = [namespace(ns), configMap(ns, 'settings', { a: '1' }), deployment(ns, 'api')];
    await up(stackOf(stack, objects));
    const onCluster = () => Promise.all([get('v1', 'ConfigMap', 'settings'), get('apps/v1', 'Deployment', 'api')]);
    const before = await onCluster();

    const parted = objects.map((each, index) => ({ ...each, part: index === 0 ? 'platform' : 'api' }));
    const seen = await preview(stackOf(stack, parted));
    const ofObjects = ({ type }: { readonly type: string }): boolean => type.startsWith('kubernetes:');
    expect(seen.steps.filter(ofObjects).map(({ op }) => op)).toEqual(['same', 'same', 'same']);
    expect(
      seen.steps
        .filter(({ op }) => op !== 'same')
        .map(({ op, urn }) => `${op} ${urn.split('::').slice(2).join(' ')}`)
        .sort(),
    ).toEqual(['create delos:platform:Part api', 'create delos:platform:Part platform']);
    const { changes, steps } = await up(stackOf(stack, parted));
    expect(changes).toEqual({ same: 5, create: 2, update: 0, delete: 0, replace: 0 });
    expect(
      steps
        .filter(ofObjects)
        .map(({ urn }) => urn.split('::')[2])
        .sort(),
    ).toEqual([
      'delos:platform:Part$kubernetes:apps/v1:Deployment',
      'delos:platform:Part$kubernetes:core/v1:ConfigMap',
      'delos:platform:Part$kubernetes:core/v1:Namespace',
    ]);
    expect(await onCluster()).toEqual(before);
    expect((await up(stackOf(stack, parted))).changes).toEqual({
      same: 7,
      create: 0,
      update: 0,
      delete: 0,
      replace: 0,
    });

    // From then on they change, are kept and go as any other.
    const scaled = [...parted.slice(0, 2), { ...deployment(ns, 'api', { replicas: 2 }), part: 'api' }];
    expect((await up(stackOf(stack, scaled))).changes).toMatchObject({ same: 6, update: 1, replace: 0 });
    const uids = async () => (await onCluster()).map(uidOf);
    expect(await uids()).toEqual(before.map(uidOf));
    await destroy(stackOf(stack, scaled), { keep: ['Namespace', 'ConfigMap'] });
    expect(await uids()).toEqual([uidOf(before[0]), '']);
    expect((await up(stackOf(stack, scaled))).changes).toMatchObject({ update: 0, replace: 0, delete: 0 });
    expect((await uids())[0]).toBe(uidOf(before[0]));
    await destroy(stackOf(stack, scaled));
    expect(await uids()).toEqual(['', '']);
  });

  test('replaces an object whose changed field cannot change, and deletes what is no longer asked for', async () => {
    await up(stackOf(stack, [namespace(ns), deployment(ns, 'api'), configMap(ns, 'old', {})]));
    const before = await get('apps/v1', 'Deployment', 'api');
    const { changes } = await up(stackOf(stack, [namespace(ns), deployment(ns, 'api', { app: 'other' })]));
    expect(changes).toMatchObject({ replace: 1, delete: 1, create: 0, update: 0 });
    const after = await get('apps/v1', 'Deployment', 'api');
    expect(uidOf(before)).not.toBe('');
    expect(uidOf(after)).not.toBe('');
    expect(uidOf(after)).not.toBe(uidOf(before));
    expect(await get('v1', 'ConfigMap', 'old')).toBeUndefined();
  });

  test('makes a namespace and a definition before what needs them, whatever the order they came in', async () => {
    const definition = object({
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.g${count}.example.com` },
      spec: {
        group: `g${count}.example.com`,
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    });
    const group = `g${count}.example.com/v1`;
    const widget = object({
      apiVersion: group,
      kind: 'Widget',
      metadata: { name: 'w', namespace: ns },
      spec: { n: 1 },
    });
    const { changes } = await up(stackOf(stack, [widget, definition, namespace(ns)]));
    expect(changes.create).toBe(5);
    expect(await get(group, 'Widget', 'w')).toMatchObject({ spec: { n: 1 } });
    expect((await preview(stackOf(stack, [widget, definition, namespace(ns)]))).changeSummary).toEqual({ same: 5 });
  });

  test('repairs what others changed or deleted on the cluster; the official provider is told to by enablePatchForce, and cannot be had here', async () => {
    const objects = [namespace(ns), configMap(ns, 'a', { k: 'v' }), configMap(ns, 'b', { k: 'v' })];
    await up(stackOf(stack, objects));
    await patch(`/api/v1/namespaces/${ns}/configmaps/a`, { data: { k: 'drifted' } });
    await plane.client.delete({ apiVersion: 'v1', kind: 'ConfigMap', name: 'b', namespace: ns }, 'Background');
    const { changes } = await up(stackOf(stack, objects));
    expect(changes).toMatchObject({ update: 1, create: 1 });
    expect(await get('v1', 'ConfigMap', 'a')).toMatchObject({ data: { k: 'v' } });
    expect(await get('v1', 'ConfigMap', 'b')).toMatchObject({ data: { k: 'v' } });
    const checkpoint = await tryReadCheckpoint(pulumiHome(stack.paths));
    const provider = checkpoint?.resources.find(({ type }) => type === 'pulumi:providers:kubernetes');
    expect(provider).toMatchObject({ inputs: { enablePatchForce: 'true' } });
  });

  test('takes a field that the program leaves out away from an object that the official provider made by POST', async () => {
    await up(stackOf(stack, [namespace(ns), configMap(ns, 'a', { keep: '1', gone: '1' })]));
    // The official provider cannot be had here: the object is put in the state that it leaves one in.
    await plane.client.delete({ apiVersion: 'v1', kind: 'ConfigMap', name: 'a', namespace: ns }, 'Background');
    const { manifest } = configMap(ns, 'a', { keep: '1', gone: '1' });
    const body = JSON.parse(JSON.stringify(manifest));
    const query = { fieldManager: 'pulumi-kubernetes' };
    await plane.client.api.request('POST', `/api/v1/namespaces/${ns}/configmaps`, { body, query });
    const { changes } = await up(stackOf(stack, [namespace(ns), configMap(ns, 'a', { keep: '1' })]));
    expect(changes).toMatchObject({ update: 1, create: 0, replace: 0 });
    expect(await get('v1', 'ConfigMap', 'a')).toHaveProperty('data', { keep: '1' });
  });

  test('releases a lock that was left, be it whole or cut off at its writing', async () => {
    await up(stackOf(stack, [namespace(ns)]));
    const locks = join(pulumiHome(stack.paths).backend, '.pulumi/locks/organization/delos', stack.paths.instance);
    await mkdir(locks, { recursive: true });
    const holder = { pid: 2 ** 22 + 1, username: 'x', hostname: hostname(), timestamp: new Date().toISOString() };
    await writeFile(join(locks, 'a.json'), JSON.stringify(holder));
    await writeFile(join(locks, 'b.json.18a1.tmp'), '');
    expect((await up(stackOf(stack, [namespace(ns)]))).changes).toMatchObject({ same: 3 });
    expect(await readdir(locks)).toEqual([]);
  });

  test('reads its state whatever a writer that was killed left beside it, and leaves nothing there that can be cut off', async () => {
    await up(stackOf(stack, [namespace(ns)]));
    const folderOfState = join(pulumiHome(stack.paths).backend, '.pulumi/stacks/delos');
    expect(await readdir(folderOfState)).not.toContain(`${stack.paths.instance}.json.attrs`);
    await writeFile(join(folderOfState, `${stack.paths.instance}.json.attrs`), '');
    expect((await up(stackOf(stack, [namespace(ns)]))).changes).toMatchObject({ same: 3 });
  });

  test('refuses to take over an object that somebody else made', async () => {
    await up(stackOf(stack, [namespace(ns)]));
    const theirs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'theirs' }, data: { k: 'theirs' } };
    await plane.client.api.request('POST', `/api/v1/namespaces/${ns}/configmaps`, { body: theirs });
    const error = await problem(up(stackOf(stack, [namespace(ns), configMap(ns, 'theirs', { k: 'ours' })])));
    expect(error.message).toContain(`ConfigMap ${ns}/theirs exists already and is not this resource's`);
    expect(await get('v1', 'ConfigMap', 'theirs')).toMatchObject({ data: { k: 'theirs' } });
  });

  test('knows an object again that the same resource made before, unlike another resource', async () => {
    await up(stackOf(stack, [namespace(ns)]));
    const work = {
      client: plane.client,
      urn: 'urn:pulumi:s::p::kubernetes:core/v1:ConfigMap::a',
      signal: new AbortController().signal,
      timeout: 0,
      report: () => undefined,
    };
    const inputs = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', namespace: ns }, data: { k: 'v' } };
    const first = await create(inputs, work);
    // As after a run that was killed between the creation and its record.
    const second = await create({ ...inputs, data: { k: 'w' } }, work);
    expect(uidOf(second.object)).toBe(uidOf(first.object));
    expect(await get('v1', 'ConfigMap', 'a')).toMatchObject({ data: { k: 'w' } });
    await expect(create(inputs, { ...work, urn: `${work.urn}-renamed` })).rejects.toThrow('exists already');

    // What the killed run was told to make may differ from what is asked for now in a field that cannot change.
    const api = (app: string) => ({ ...deployment(ns, 'api', { app }).manifest });
    const doing = { ...work, urn: 'urn:pulumi:s::p::kubernetes:apps/v1:Deployment::api' };
    const before = await create(JSON.parse(JSON.stringify(api('api'))), doing);
    const after = await create(JSON.parse(JSON.stringify(api('other'))), doing);
    expect(uidOf(after.object)).not.toBe(uidOf(before.object));
    expect(after).toMatchObject({
      problem: undefined,
      object: { spec: { selector: { matchLabels: { app: 'other' } } } },
    });
  });

  test('keeps secrets out of every file, in clear', async () => {
    const secret = object({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: ns } });
    const value = 'correct-horse-battery-staple';
    const secrets = { [secret.id]: { password: value } };
    await up(stackOf(stack, [namespace(ns), secret], { secrets }));
    expect(await get('v1', 'Secret', 's')).toMatchObject({ data: { password: Buffer.from(value).toString('base64') } });
    const { root, passphraseFile } = pulumiHome(stack.paths);
    expect((await stat(passphraseFile)).mode & 0o777).toBe(0o600);
    const files = (await readdir(root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(3);
    for (const file of files) {
      const content = await readFile(join(file.parentPath, file.name), 'latin1');
      expect(content).not.toContain(value);
      expect(content).not.toContain(Buffer.from(value).toString('base64'));
    }
    expect((await preview(stackOf(stack, [namespace(ns), secret], { secrets }))).changeSummary).toEqual({ same: 4 });
  });
});

describe('waiting', () => {
  test('for a Deployment that never gets ready ends at its limit with its Pod’s last event; a fixed one completes', async () => {
    const never = deployment(ns, 'api', { puppet: 'pull-error', timeoutSeconds: 4 });
    const error = await problem(up(stackOf(stack, [namespace(ns), never])));
    expect(error.code).toBe('ERR_NOT_READY');
    expect(error.message).toMatch(/^Deployment \S+\/api: not ready after \d+ s \(limit 4 s\): 0\/1 ready; Pod api-/);
    expect(error.message).toContain('Failed to pull image "nowhere.example/none:1": not found');
    expect(error.render().split('\n').length).toBeLessThanOrEqual(5);
    // Nothing differs, and yet it is not as it should be: it must not pass for done.
    expect((await problem(up(stackOf(stack, [namespace(ns), never])))).code).toBe('ERR_NOT_READY');
    const { changes } = await up(stackOf(stack, [namespace(ns), deployment(ns, 'api')]));
    expect(changes).toMatchObject({ update: 1, create: 0 });
  });

  test('for a deletion names the finalizer that holds it', async () => {
    const held = configMap(ns, 'held', {}, { annotations: { 'pulumi.com/timeoutSeconds': '2' } });
    await up(stackOf(stack, [namespace(ns), held]));
    const path = `/api/v1/namespaces/${ns}/configmaps/held`;
    await patch(path, { metadata: { finalizers: ['example.com/backup'] } });
    const error = await problem(up(stackOf(stack, [namespace(ns)])));
    expect(error.message).toMatch(
      /ConfigMap \S+\/held: not gone after \d+ s \(limit 2 s\): finalizer example.com\/backup/,
    );
    await patch(path, { metadata: { finalizers: [] } });
    expect((await up(stackOf(stack, [namespace(ns)]))).changes).toMatchObject({ same: 3, create: 0, update: 0 });
  });

  test('is told step by step, and ends at once when interrupted', async () => {
    const steps: string[] = [];
    const controller = new AbortController();
    const progress = {
      ...silent,
      step: (text: string) => {
        steps.push(text);
        if (text.includes('0/1 ready')) controller.abort();
      },
    };
    const objects = [namespace(ns), deployment(ns, 'api', { puppet: 'pull-error' })];
    const error = await problem(up(stackOf(stack, objects, { progress, signal: controller.signal })));
    expect(error.code).toBe('ERR_INTERRUPTED');
    expect(steps).toContainEqual(expect.stringMatching(/^Deployment \S+\/api: 0\/1 ready/));
    const fixed = await up(stackOf(stack, [namespace(ns), deployment(ns, 'api')]));
    expect(fixed.changes).toMatchObject({ update: 1, create: 0 });
  });
});

test('refresh takes the cluster’s state over; destroy deletes everything, and less where data is kept', async () => {
  const objects = [namespace(ns), configMap(ns, 'a', { k: 'v' }), configMap(ns, 'b', {})];
  await up(stackOf(stack, objects));
  await patch(`/api/v1/namespaces/${ns}/configmaps/a`, { data: { k: 'drifted' } });
  await refresh(stackOf(stack, objects));
  expect((await preview(stackOf(stack, objects))).changeSummary).toEqual({ same: 4, update: 1 });

  await destroy(stackOf(stack, objects), { keep: ['Namespace'] });
  expect(await get('v1', 'ConfigMap', 'a')).toBeUndefined();
  expect(await get('v1', 'Namespace', ns)).toMatchObject({ status: { phase: 'Active' } });
  await up(stackOf(stack, objects));
  await destroy(stackOf(stack, objects));
  expect(await get('v1', 'Namespace', ns)).toBeUndefined();
});
