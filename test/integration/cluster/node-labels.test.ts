import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveTool } from '@delos/cluster';
import { POOL_LABEL, silent } from '@delos/core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { expectOk } from '../../../peers/src/command.ts';
import { delos, delosJson, TEST_INSTANCE } from '../../support/instance.ts';
import { type ControlPlane, startControlPlane } from '../../support/service/control-plane.ts';

/*
 * `delos nodes label` on a real API server. There are no GPUs here: nodes without a kubelet bear what the device plugins
 * of the makers and Node Feature Discovery write on nodes.
 */

const CONFIG = `
cluster: { engine: existing, context: test }
nodePools:
  - name: cpu
  - name: a100
    nvidiaGpu: { count: 8, model: A100, memory: 80Gi }
    labels: { example.com/fabric: nvlink }
presets:
  - { name: small, cpu: 1, memory: 1Gi }
`;
const labelled = z.looseObject({
  applied: z.boolean(),
  nodes: z.array(
    z.looseObject({
      name: z.string(),
      verdict: z.string(),
      change: z.record(z.string(), z.string()),
      lacks: z.array(z.string()),
    }),
  ),
  suggested: z.object({ nodePools: z.array(z.looseObject({ name: z.string() })), presets: z.array(z.unknown()) }),
});
const NVIDIA = { 'nvidia.com/gpu.product': 'NVIDIA-A100-SXM4-80GB', 'nvidia.com/gpu.memory': '81920' };
const NODES = [
  { name: 'plain', labels: {}, capacity: {} },
  { name: 'gpu-1', labels: NVIDIA, capacity: { 'nvidia.com/gpu': '8' } },
  { name: 'gpu-2', labels: { ...NVIDIA, [POOL_LABEL]: 'cpu' }, capacity: { 'nvidia.com/gpu': '8' } },
  { name: 'no-driver', labels: { 'feature.node.kubernetes.io/pci-10de.present': 'true' }, capacity: {} },
  { name: 'amd', labels: { 'amd.com/gpu.product-name': 'AMD_Instinct_MI300X_OAM' }, capacity: { 'amd.com/gpu': '8' } },
] as const;

let plane: ControlPlane;
let folder: string;
const run = () => ({ env: { DELOS_INSTANCE: `${TEST_INSTANCE}-lab`, KUBECONFIG: plane.kubeconfig } });
const label = (...args: readonly string[]) => ['nodes', 'label', '--config', join(folder, 'delos.yaml'), ...args];
const verdicts = async (...args: readonly string[]) => {
  const { nodes } = await delosJson(labelled, label('--context', 'test', ...args), run());
  return Object.fromEntries(nodes.map(({ name, verdict }) => [name, verdict]));
};
const poolsOfNodes = async (): Promise<Record<string, string | undefined>> => {
  const metadata = z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) });
  const list = z.object({ items: z.array(z.object({ metadata })) });
  const { items } = list.parse(await plane.client.api.get('/api/v1/nodes'));
  return Object.fromEntries(items.map((item) => [item.metadata.name, item.metadata.labels[POOL_LABEL]]));
};

beforeAll(async () => {
  plane = await startControlPlane((await resolveTool('kube', silent)).path);
  folder = await mkdtemp(join(tmpdir(), 'delos-labels-'));
  await writeFile(join(folder, 'delos.yaml'), CONFIG);
  for (const { name, labels, capacity } of NODES) {
    const body = { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } };
    await plane.client.api.request('POST', '/api/v1/nodes', { body });
    const all = { cpu: '64', memory: '512Gi', ...capacity };
    await plane.client.api.patch(`/api/v1/nodes/${name}/status`, { status: { capacity: all, allocatable: all } });
  }
});
afterAll(async () => {
  await plane?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a plan says what each node is, what it lacks and what delos.yaml could have, and sets nothing', async () => {
  const before = await poolsOfNodes();
  const plan = await delosJson(labelled, label('--context', 'test', '--plan'), run());
  expect(plan.applied).toBe(false);
  expect(Object.fromEntries(plan.nodes.map(({ name, verdict }) => [name, verdict]))).toEqual({
    plain: 'label',
    'gpu-1': 'label',
    'gpu-2': 'other',
    'no-driver': 'unknown',
    amd: 'none',
  });
  const lacks = plan.nodes.find(({ name }) => name === 'no-driver')?.lacks;
  expect(lacks).toEqual([expect.stringContaining('announces no nvidia.com/gpu')]);
  expect(plan.suggested.nodePools.map(({ name }) => name)).toEqual(['instinct-mi300x-oam-8']);
  const text = await expectOk(delos(label('--context', 'test'), run()));
  expect(text).toContain('to set: example.com/fabric=nvlink, delos.dev/pool=a100');
  expect(text).toContain('`delos nodes label --apply` sets these labels.');
  expect(await poolsOfNodes()).toEqual(before);
});

test('what it applies is there, a second time there is nothing to do, and a label of others stays until it is taken over', async () => {
  await verdicts('--apply');
  expect(await poolsOfNodes()).toEqual({
    plain: 'cpu',
    'gpu-1': 'a100',
    'gpu-2': 'cpu',
    'no-driver': undefined,
    amd: undefined,
  });
  expect(await verdicts()).toMatchObject({ plain: 'right', 'gpu-1': 'right', 'gpu-2': 'other' });
  await verdicts('--apply', '--overwrite');
  expect((await poolsOfNodes())['gpu-2']).toBe('a100');
  expect(await verdicts()).toMatchObject({ 'gpu-2': 'right' });
});

test('a plan and its deed at once are refused', async () => {
  const { code, stderr } = await delos(label('--plan', '--apply'), run());
  expect(code).toBe(2);
  expect(stderr).toContain('--plan and --apply: one of them');
});
