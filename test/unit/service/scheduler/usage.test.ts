import type { NodeReport } from '@delos/core';
import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { PlannedJob } from '../../../../runtime/service/src/scheduler/planned.ts';
import {
  type Counted,
  MOST_POOLS,
  MOST_PROJECTS,
  type Usage,
  usageOf,
} from '../../../../runtime/service/src/scheduler/usage.ts';
import { usageMetrics } from '../../../../runtime/service/src/scheduler/usage-metrics.ts';

const node = (name: string, more: Partial<NodeReport> = {}): NodeReport => ({
  ...{ name, pool: 'a100', ready: true, schedulable: true, cpu: 8, memory: 2 ** 34, pods: 100 },
  extended: { 'nvidia.com/gpu': 4 },
  ...more,
});

const planned = (active: boolean): PlannedJob => ({
  ...{ id: 'job-1', org: 'acme', project: 'nlp', owner: 'ann', preset: 'a100', pools: [], priority: 0 },
  ...{ preemptible: false, run: 0, createdAt: new Date(0), lifeSpanMinutes: null, disks: [] },
  resources: { cpu: 2, memory: 2 ** 30, extended: { 'nvidia.com/gpu': 1 }, shm: true },
  active: active ? { pool: 'a100', node: 'node-1', planned: null, since: new Date(0), leaving: false } : undefined,
});

const job = (
  phase: Counted['jobs'] extends Iterable<infer J> ? (J extends { phase: infer P } ? P : never) : never,
  more = {},
) => ({
  ...{ org: 'acme', project: 'nlp', phase, planned: planned(phase === 'running') },
  ...more,
});

const plain = (told: Usage) =>
  JSON.parse(JSON.stringify(told, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value)));

test('pools say what ready nodes offer and what jobs have; projects what their jobs have, and their quota', () => {
  const told = usageOf({
    nodes: [
      node('node-1'),
      node('node-2', { schedulable: false }),
      node('node-3', { ready: false }),
      node('control', { pool: null }),
      node('node-4', { pool: 'cpu', extended: {} }),
    ],
    jobs: [
      job('running'),
      job('running'),
      job('queued'),
      job('queued', { planned: undefined }),
      job('running', { org: 'other', project: 'x' }),
    ],
    projects: [
      { org: 'acme', name: 'nlp', quota: { cpu: 16, runningJobs: 5 } },
      { org: 'acme', name: 'idle', quota: {} },
    ],
  });
  expect(plain(told)).toEqual({
    pools: {
      a100: {
        capacity: { cpu: 8, memory: 2 ** 34, 'nvidia.com/gpu': 4 },
        used: { cpu: 6, memory: 3 * 2 ** 30, 'nvidia.com/gpu': 3 },
        nodes: { ready: 1, cordoned: 1, 'not-ready': 1 },
      },
      cpu: { capacity: { cpu: 8, memory: 2 ** 34 }, used: {}, nodes: { ready: 1 } },
    },
    projects: {
      'acme/nlp': {
        organization: 'acme',
        phases: { running: 2, queued: 2 },
        used: { cpu: 4, memory: 2 ** 31, 'nvidia.com/gpu': 2 },
        quota: { jobs: 5, cpu: 16 },
      },
      'other/x': {
        organization: 'other',
        phases: { running: 1 },
        used: { cpu: 2, memory: 2 ** 30, 'nvidia.com/gpu': 1 },
        quota: {},
      },
      'acme/idle': { organization: 'acme', phases: {}, used: {}, quota: {} },
    },
    untold: 0,
  });
});

test('however many projects and pools there are, the series are bounded, and those with jobs come first', () => {
  const many = MOST_PROJECTS + 100;
  const told = usageOf({
    nodes: Array.from({ length: MOST_POOLS + 50 }, (_, nth) => node(`node-${nth}`, { pool: `pool-${nth}` })),
    jobs: [job('queued', { org: 'z', project: 'last' })],
    projects: Array.from({ length: many }, (_, nth) => ({ org: 'a', name: `project-${nth}`, quota: {} })),
  });
  expect(told.pools.size).toBe(MOST_POOLS);
  expect(told.projects.size).toBe(MOST_PROJECTS);
  expect([...told.projects.keys()][0]).toBe('z/last');
  expect(told.untold).toBe(many + 1 - MOST_PROJECTS);
});

test('each series of a project has the label by which it is shown or not; one that does not decide tells none', async () => {
  const registry = new Registry();
  let usage: Usage | undefined = usageOf({ nodes: [node('node-1')], jobs: [job('running')], projects: [] });
  usageMetrics(registry, () => (usage === undefined ? [] : [[undefined, usage]]));
  const text = await registry.metrics();
  expect(text).toContain('delos_pool_capacity{pool="a100",resource="nvidia.com/gpu"} 4');
  expect(text).toContain('delos_project_jobs{organization="acme",project="acme/nlp",phase="running"} 1');
  expect(text).toContain('delos_project_used{organization="acme",project="acme/nlp",resource="cpu"} 2');
  const ofProjects = text.split('\n').filter((line) => line.startsWith('delos_project_'));
  expect(ofProjects.length).toBeGreaterThan(3);
  for (const line of ofProjects) expect(line).toMatch(/\bproject="[^"]+\/[^"]+"/);
  usage = undefined;
  expect(await registry.metrics()).not.toMatch(/^delos_\w+\{/m);
});
