import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import type { SynthesizedObject } from '@delos/constructs';
import { instancePaths, silent } from '@delos/core';
import { preview, up } from '@delos/stacks';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../../support/control-plane.ts';
import { type PuppetNode, startPuppetNode } from '../../support/puppet-node.ts';
import { configMap, deployment, namespace, stackOf, type TestStack } from '../../support/test-stack.ts';

let plane: ControlPlane;
let node: PuppetNode;
let folder: string;

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  node = await startPuppetNode(plane.client);
  folder = await mkdtemp(join(tmpdir(), 'delos-crash-'));
});

afterAll(async () => {
  await node?.stop();
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

/** An update in a process of its own, once it says something that matches. */
async function updateUntil(
  stack: TestStack,
  objects: readonly SynthesizedObject[],
  said: RegExp,
): Promise<ChildProcess> {
  const script = join(import.meta.dirname, '../../support/stack-child.ts');
  const child = spawn(process.execPath, [script, JSON.stringify({ stack, objects })], { stdio: ['ignore', 'pipe', 2] });
  onTestFinished(() => void child.kill('SIGKILL'));
  await new Promise<void>((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (said.test(output)) resolve();
    });
    child.once('close', () => reject(new Error(`it ended before it said ${said}:\n${output}`)));
  });
  return child;
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
  test.each(['driver', 'engine', 'provider', 'all'] as const)('SIGKILL of %s', async (victim) => {
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

  // About one run in six ends with an object of its own that the next update does not know again: a defect that is
  // open, so it is looked for in long runs and counted as skipped elsewhere.
  test.runIf(process.env.DELOS_TEST_LONG === '1')(
    'SIGKILL at seeded instants of one update after another',
    async () => {
      const stack = await stackCalled('kill-often');
      const ns = 'kill-often';
      const objects = [
        namespace(ns),
        ...Array.from({ length: 12 }, (_, index) => configMap(ns, `c${index}`, { k: 'v' })),
      ];
      // Milliseconds after the first object is begun: spread over namespace, objects and the end.
      for (const delay of [0, 120, 300, 700]) {
        const child = await updateUntil(stack, objects, /creating (Namespace|ConfigMap)|done/);
        await new Promise((resolve) => setTimeout(resolve, delay));
        for (const { pid } of await processesOf(stack)) killQuietly(pid);
        child.kill('SIGKILL');
      }
      await up(stackOf(stack, objects));
      expect((await preview(stackOf(stack, objects))).changeSummary).toEqual({ same: 15 });
    },
  );
});

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
