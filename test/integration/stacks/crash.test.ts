import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import type { SynthesizedObject } from '@delos/constructs';
import { instancePaths, silent } from '@delos/core';
import { destroy, preview, up } from '@delos/stacks';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { runSeed } from '../../support/random.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';
import { type HoldingProxy, startHoldingProxy } from '../../support/service/holding-proxy.ts';
import { type PuppetNode, startPuppetNode } from '../../support/service/puppet-node.ts';
import { configMap, deployment, namespace, object, stackOf, type TestStack } from '../../support/test-stack.ts';

/** Each update takes seconds of processor time: by default one kill of a sort, and all of them with `--long`. */
const LONG = process.env.DELOS_TEST_LONG !== undefined;
let plane: ControlPlane;
let node: PuppetNode;
let proxy: HoldingProxy;
let folder: string;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  node = await startPuppetNode(plane.client.api);
  proxy = await startHoldingProxy(plane);
  folder = await mkdtemp(join(tmpdir(), 'delos-crash-'));
});

afterAll(async () => {
  await node?.stop();
  await proxy?.stop();
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function stackCalled(name: string): Promise<TestStack> {
  return {
    paths: instancePaths(name, { HOME: folder, XDG_STATE_HOME: join(folder, 'state') }),
    pulumi: await resolveTool('pulumi', silent),
    cluster: { kubeconfig: plane.kubeconfig, context: plane.context },
  };
}

/** An update in a process of its own, and what it says. */
function startUpdate(stack: TestStack, objects: readonly SynthesizedObject[]): { child: ChildProcess; said(): string } {
  const script = join(import.meta.dirname, '../../support/stack-child.ts');
  const child = spawn(process.execPath, [script, JSON.stringify({ stack, objects })], { stdio: ['ignore', 'pipe', 2] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  return { child, said: () => output };
}

/** An update in a process of its own, once it says something that matches. */
async function updateUntil(
  stack: TestStack,
  objects: readonly SynthesizedObject[],
  wanted: RegExp,
): Promise<ChildProcess> {
  const { child, said } = startUpdate(stack, objects);
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', () => {
      if (wanted.test(said())) resolve();
    });
    child.once('close', () => reject(new Error(`it ended before it said ${wanted}:\n${said()}`)));
  });
  return child;
}

async function killAll(stack: TestStack, child: ChildProcess): Promise<void> {
  for (const { pid } of await processesOf(stack)) killQuietly(pid);
  child.kill('SIGKILL');
}

/** Processes of this instance, told by its folder in their environment. */
async function processesOf(stack: TestStack): Promise<readonly { readonly pid: number; readonly command: string }[]> {
  const found = [];
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '');
    if (pid === process.pid || !environment.includes(stack.paths.state)) continue;
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replaceAll('\0', ' ');
    found.push({ pid, command });
  }
  return found;
}

const isEngine = (command: string): boolean => command.includes(' up --yes ');
const isProvider = (command: string): boolean => command.includes('provider/main.ts');

describe('an update whose process was killed is completed by the next one', () => {
  const victims = ['provider', 'all', 'driver', 'engine'] as const;
  test.each(victims.slice(0, LONG ? 4 : 2))('SIGKILL of %s', async (victim) => {
    const stack = await stackCalled(`kill-${victim}`);
    const ns = `kill-${victim}`;
    const objects = [namespace(ns), deployment(ns, 'api', { puppet: 'hold' }), configMap(ns, 'a', { k: 'v' })];
    const child = await updateUntil(stack, objects, /0\/1 ready/);
    const engine = (await processesOf(stack)).filter(({ command }) => isEngine(command));
    const provider = (await processesOf(stack)).filter(({ command }) => isProvider(command));
    expect(engine).toHaveLength(1);
    expect(provider).toHaveLength(1);
    const pids = {
      driver: [child.pid],
      engine: engine.map(({ pid }) => pid),
      provider: provider.map(({ pid }) => pid),
      all: [child.pid, ...engine.map(({ pid }) => pid), ...provider.map(({ pid }) => pid)],
    }[victim];
    for (const pid of pids) if (pid !== undefined) process.kill(pid, 'SIGKILL');
    if (victim !== 'driver' && victim !== 'all') await new Promise((resolve) => child.once('close', resolve));

    node.release();
    await up(stackOf(stack, objects));
    expect((await preview(stackOf(stack, objects))).changeSummary).toEqual({ same: 5 });
    const live = await plane.client.tryGet({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'api', namespace: ns });
    expect(live).toMatchObject({ status: { readyReplicas: 1 } });
    await expect.poll(() => processesOf(stack), { timeout: 20_000 }).toEqual([]);
    node.hold();
  });

  test('SIGKILL of all at a replacement', async () => {
    const stack = await stackCalled('kill-replacement');
    const ns = 'kill-replacement';
    await up(stackOf(stack, [namespace(ns), deployment(ns, 'api')]));
    const objects = [namespace(ns), deployment(ns, 'api', { app: 'other', puppet: 'hold' })];
    await killAll(stack, await updateUntil(stack, objects, /0\/1 ready/));

    node.release();
    await up(stackOf(stack, objects));
    expect((await preview(stackOf(stack, objects))).changeSummary).toEqual({ same: 4 });
    const live = await plane.client.tryGet({ apiVersion: 'apps/v1', kind: 'Deployment', name: 'api', namespace: ns });
    expect(live).toMatchObject({ spec: { selector: { matchLabels: { app: 'other' } } }, status: { readyReplicas: 1 } });
    node.hold();
  });

  test('SIGKILL of all at seeded instants of one changing update after another', async () => {
    const seed = runSeed();
    process.stdout.write(`seed: DELOS_TEST_SEED=${seed}\n`);
    const stack = await stackCalled('kill-often');
    const ns = 'kill-often';
    // Each round adds objects, changes some and leaves some out.
    const objectsOf = (round: number): readonly SynthesizedObject[] => [
      namespace(ns),
      serviceAccount(ns, `robot-${round}`),
      ...Array.from({ length: 12 }, (_, index) => configMap(ns, `c${6 * round + index}`, { round: String(round) })),
    ];
    // Milliseconds after the first object is begun: spread over namespace, objects, their record and the end.
    const delays = fc.sample(fc.integer({ min: 0, max: 900 }), { seed, numRuns: LONG ? 6 : 3 });
    for (const [round, delay] of delays.entries()) {
      const child = await updateUntil(stack, objectsOf(round), /(creating|updating|deleting) |done/);
      await new Promise((resolve) => setTimeout(resolve, delay));
      await killAll(stack, child);
    }
    const last = objectsOf(delays.length - 1);
    await up(stackOf(stack, last));
    expect((await preview(stackOf(stack, last))).changeSummary).toEqual({ same: last.length + 2 });
    expect(await namesIn(ns, 'configmaps')).toEqual(
      last.flatMap(({ manifest }) => (manifest.kind === 'ConfigMap' ? [manifest.metadata.name] : [])).sort(),
    );
    expect(await namesIn(ns, 'serviceaccounts')).toEqual([`robot-${delays.length - 1}`]);
  });
});

describe('an object whose creator was killed before it learned of its success', () => {
  const cases = {
    'a Namespace of just a name': { object: (ns: string) => namespace(ns), path: (ns: string) => `namespaces/${ns}` },
    'a ServiceAccount of just a name': {
      object: (ns: string) => serviceAccount(ns, 'bare'),
      path: (ns: string) => `namespaces/${ns}/serviceaccounts/bare`,
    },
    'a ConfigMap': {
      object: (ns: string) => configMap(ns, 'full', { k: 'v' }),
      path: (ns: string) => `namespaces/${ns}/configmaps/full`,
    },
  } as const;
  type Case = keyof typeof cases;
  let count = 0;

  /** Everything is killed when the API server has made the object and before its answer reaches the provider. */
  async function lose(which: Case) {
    count += 1;
    const ns = `lost-${count}`;
    const stack = { ...(await stackCalled(ns)), cluster: { kubeconfig: proxy.kubeconfig, context: plane.context } };
    const path = cases[which].path(ns);
    const lost = cases[which].object(ns);
    const objects = which === 'a Namespace of just a name' ? [lost] : [namespace(ns), lost];
    const made = proxy.holdAnswer(new RegExp(`^PATCH /api/v1/${path}\\?`));
    const { child, said } = startUpdate(stack, objects);
    await Promise.race([
      made,
      new Promise((_, reject) => child.once('close', () => reject(new Error(`it ended by itself:\n${said()}`)))),
    ]);
    await killAll(stack, child);
    const live = () => plane.client.tryGet({ ...lost.manifest, ...lost.manifest.metadata, namespace: ns });
    const uid = uidOf(await live());
    expect(uid).not.toBe('');
    return { ns, stack, objects, lost, path, live, uid };
  }

  // A ServiceAccount is taken up again in the test below.
  const known = Object.keys(cases) as Case[];
  test.each(known.slice(0, LONG ? 3 : 1))('is known again: %s', async (which) => {
    const { stack, objects, live, uid } = await lose(which);
    await up(stackOf(stack, objects));
    expect((await preview(stackOf(stack, objects))).changeSummary).toEqual({ same: objects.length + 2 });
    expect(uidOf(await live())).toBe(uid);
  });

  test('is known again under the part that it was given since', async () => {
    const { stack, objects, live, uid } = await lose('a ServiceAccount of just a name');
    const moved = objects.map((object) => ({ ...object, part: 'platform' }));
    await up(stackOf(stack, moved));
    expect((await preview(stackOf(stack, moved))).changeSummary).toEqual({ same: moved.length + 3 });
    expect(uidOf(await live())).toBe(uid);
  });

  // Each starts an engine three times: the long form has both.
  const marks = [
    ['though another has set every field of it since', { data: { k: 'theirs' } }],
    [
      'where it bears no mark, as under the official provider',
      { metadata: { annotations: { 'delos.dev/pulumi-urn': null } } },
    ],
  ] as const;
  test.each(marks.slice(LONG ? 0 : 1))('is known again %s', async (_, body) => {
    const { stack, objects, live, uid, path } = await lose('a ConfigMap');
    await plane.client.api.request('PATCH', `/api/v1/${path}`, { contentType: 'application/merge-patch+json', body });
    await up(stackOf(stack, objects));
    expect((await preview(stackOf(stack, objects))).changeSummary).toEqual({ same: 4 });
    expect(await live()).toMatchObject({ data: { k: 'v' }, metadata: { uid } });
  });

  const unwanted = ['a ServiceAccount of just a name', 'a ConfigMap'] as const;
  test.each(unwanted.slice(0, LONG ? 2 : 1))(
    'is deleted by an update that does not ask for it any more: %s',
    async (which) => {
      const { ns, stack, live } = await lose(which);
      await up(stackOf(stack, [namespace(ns)]));
      expect(await live()).toBeUndefined();
      expect((await preview(stackOf(stack, [namespace(ns)]))).changeSummary).toEqual({ same: 3 });
    },
  );

  test('is deleted by destroy, and kept where its kind is', async () => {
    const { stack, objects, live, uid } = await lose('a Namespace of just a name');
    await destroy(stackOf(stack, objects), { keep: ['Namespace'] });
    expect(uidOf(await live())).toBe(uid);
    await destroy(stackOf(stack, objects));
    expect(await live()).toBeUndefined();
  });

  test('is refused where it is another’s after all, of whatever tool', async () => {
    const { stack, objects, live, path } = await lose('a ConfigMap');
    const theirs = async (metadata: object, fieldManager: string) => {
      await plane.client.api.request('DELETE', `/api/v1/${path}`);
      const body = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'full', ...metadata },
        data: { k: 'theirs' },
      };
      await plane.client.api.request('POST', `/api/v1/${path.replace(/\/full$/, '')}`, {
        body,
        query: { fieldManager },
      });
    };
    const otherUrn = 'urn:pulumi:other::delos::kubernetes:core/v1:ConfigMap::full';
    const others = [
      [{}, 'curl'],
      [{ annotations: { 'delos.dev/pulumi-urn': otherUrn } }, 'pulumi-kubernetes-00000000'],
    ] as const;
    for (const [metadata, manager] of others) {
      await theirs(metadata, manager);
      await expect(up(stackOf(stack, objects))).rejects.toThrow('exists already');
      expect(await live()).toMatchObject({ data: { k: 'theirs' } });
    }
  });
});

const serviceAccount = (namespace: string, name: string): SynthesizedObject =>
  object({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } });

async function namesIn(ns: string, plural: string): Promise<readonly string[]> {
  const items = await plane.client.list({ apiVersion: 'v1', plural, namespace: ns });
  return items
    .map(({ metadata }) => String((metadata as { name?: string }).name))
    .filter((name) => !['kube-root-ca.crt', 'default'].includes(name))
    .sort();
}

const uidOf = (live: Awaited<ReturnType<typeof plane.client.tryGet>>): string =>
  String((live?.metadata as { uid?: string } | undefined)?.uid ?? '');

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
