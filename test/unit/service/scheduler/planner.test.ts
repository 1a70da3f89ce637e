import type { NodeReport } from '@delos/core';
import { expect, test } from 'vitest';
import type { Facts, PlannedJob } from '../../../../runtime/service/src/scheduler/planned.ts';
import { Planner, RESERVE_AFTER_MS } from '../../../../runtime/service/src/scheduler/planner.ts';
import { explainWaiting } from '../../../../runtime/service/src/scheduler/waiting.ts';
import { AMD, facts, GIB, job, later, NOW, NVIDIA, needs, node, running } from '../../../support/service/planner.ts';

interface World {
  readonly facts?: Facts;
  readonly nodes?: readonly NodeReport[];
  readonly jobs?: readonly PlannedJob[];
}

const planner = (world: World): Planner =>
  new Planner(world.facts ?? facts(), world.nodes ?? [], world.jobs ?? [], NOW);
const admitted = (of: Planner, now = NOW): readonly string[] => of.decide(now).admissions.map(({ id }) => id);
/** By job, where it was admitted to. */
const places = (of: Planner, now = NOW): Readonly<Record<string, string>> =>
  Object.fromEntries(of.decide(now).admissions.map(({ id, node: name }) => [id, name]));

test.each<[string, World]>([
  ['No node has joined the cluster.', { jobs: [job()] }],
  [
    'No room for preset any (1 core, 1024 MiB in gpus) on 1 node: 1 is of another pool. None would hold it even when empty.',
    { nodes: [node('a')], jobs: [job({ pools: ['gpus'] })] },
  ],
  [
    'No room for preset any on 2 nodes: 2 lack memory. It is expected by 2026-01-01 12:30 UTC: room on a node when 1 running job has ended by its life-span.',
    {
      facts: facts({}, [{ name: 'any', resources: needs(1, 6 * GIB), pools: [] }]),
      nodes: [node('a'), node('b')],
      jobs: [
        running(job({ gib: 4, lifeSpanMinutes: 30 }), 'a'),
        running(job({ gib: 4, lifeSpanMinutes: 60 }), 'b'),
        job({ gib: 6 }),
      ],
    },
  ],
  [
    'No room for preset large on 1 node: 1 lacks CPU. It would start now with preset small.',
    {
      facts: facts({}, [
        { name: 'large', resources: needs(4, GIB), pools: [] },
        { name: 'small', resources: needs(1, GIB), pools: [] },
      ]),
      nodes: [node('a')],
      jobs: [running(job(), 'a'), job({ preset: 'large', cpu: 4 })],
    },
  ],
  [
    'No room for preset large on 1 node: 1 lacks CPU. None would hold it even when empty; it would start now with preset small.',
    {
      facts: facts({}, [
        { name: 'large', resources: needs(5, GIB), pools: [] },
        { name: 'small', resources: needs(1, GIB), pools: [] },
      ]),
      nodes: [node('a')],
      jobs: [job({ preset: 'large', cpu: 5 })],
    },
  ],
  [
    'No room for preset any (1 core, 65536 MiB) on 1 node: 1 lacks memory. None would hold it even when empty.',
    { nodes: [node('a')], jobs: [job({ gib: 64 })] },
  ],
  [
    'No room for preset any (1 core, 1024 MiB, 1 nvidia.com/gpu) on 1 node: 1 has no such GPU. None would hold it even when empty.',
    { nodes: [node('a')], jobs: [job({ gpu: 1 })] },
  ],
  [
    'No room for preset any on 3 nodes: 1 is not ready, 1 takes no new jobs, 1 is full (number of Pods). When it starts is not known: 1 running job must end first, and it has no life-span.',
    {
      facts: facts({}, [{ name: 'any', resources: needs(1, GIB), pools: [] }]),
      nodes: [node('a', { ready: false }), node('b', { schedulable: false }), node('c', { pods: 1 })],
      jobs: [running(job(), 'c'), job()],
    },
  ],
  [
    'Project acme/one runs 1 job and its quota is 1. When it starts is not known: 1 running job under it must end first, and it has no life-span.',
    { facts: facts({ 'acme/one': { runningJobs: 1 } }), nodes: [node('a')], jobs: [running(job(), 'a'), job()] },
  ],
  [
    'Project acme/one runs 1 job and its quota is 1. It would start now in project acme/two.',
    {
      facts: facts({ 'acme/one': { runningJobs: 1 } }),
      nodes: [node('a')],
      jobs: [running(job(), 'a'), running(job({ project: 'two' }), 'a'), job()],
    },
  ],
  [
    'Person alice of organization acme runs 1 job and their quota is 1. When it starts is not known: 1 running job under it must end first, and it has no life-span.',
    {
      facts: facts({ '@alice': { runningJobs: 1 } }),
      nodes: [node('a')],
      jobs: [running(job({ project: 'two' }), 'a'), job()],
    },
  ],
  [
    'Organization acme uses 1 core of its quota of 1.5 cores, and this job needs 1 core. It is expected by 2026-01-01 13:00 UTC: quota is free when 1 running job has ended by its life-span.',
    {
      facts: facts({ acme: { cpu: 1.5 } }),
      nodes: [node('a')],
      jobs: [running(job({ lifeSpanMinutes: 60 }), 'a'), job()],
    },
  ],
  [
    'This job needs 2 GPUs, more than the whole quota of project acme/one (1 GPU). It waits until that is raised.',
    {
      facts: facts({ 'acme/one': { gpu: 1 } }),
      nodes: [node('a', { extended: { [NVIDIA]: 4 } })],
      jobs: [job({ gpu: 2 })],
    },
  ],
])('a waiting job is told: %s', (expected, world) => {
  const made = planner(world);
  made.decide(NOW);
  const waiting = explainWaiting(made, made.waiting).waiting;
  expect(waiting.map(({ description }) => description)).toEqual([expected]);
  expect(waiting[0]?.reason).toBe(expected.includes('quota') ? 'QuotaExhausted' : 'NoCapacity');
});

test('of a cluster that is not heard of, that is said instead of what is expected', () => {
  const made = planner({ jobs: [job()] });
  made.decide(NOW);
  expect(explainWaiting(made, made.waiting, "the cluster's agent has not connected yet").waiting[0]?.description).toBe(
    "No node has joined the cluster. The cluster's agent has not connected yet.",
  );
});

test('reasons can be worked out in parts, those first that are asked about first', () => {
  const jobs = [job({ cpu: 5 }), job({ cpu: 6 }), job({ cpu: 7 }), job({ cpu: 5 })];
  const made = planner({ nodes: [node('a')], jobs });
  made.decide(NOW);
  const order = [2, 0, 1, 3].map((index) => jobs[index]?.id ?? '');
  const parts: string[][] = [];
  for (let ids: readonly string[] = order; ids.length > 0; ) {
    const { waiting, left } = explainWaiting(made, ids, '', () => true);
    parts.push(waiting.map(({ id }) => id));
    ids = left;
  }
  expect(parts).toEqual([[order[0]], [order[1], order[3]], [order[2]]]);
  expect(explainWaiting(made, ['gone']).waiting).toEqual([]);
});

test('in a project priority goes before age, age before id', () => {
  const [young, old, urgent] = [job({ cpu: 4, age: 1 }), job({ cpu: 4, age: 2 }), job({ cpu: 4, priority: 1 })];
  const nodes = [node('a'), node('b'), node('c')];
  expect(admitted(planner({ nodes, jobs: [young, old, urgent] }))).toEqual([urgent.id, old.id, young.id]);
});

test('two projects get the same, however early one of them was; so do two users of one', () => {
  const flood = Array.from({ length: 8 }, () => job({ age: 60 }));
  const others = Array.from({ length: 8 }, () => job({ project: 'two' }));
  const byProject = new Set(admitted(planner({ nodes: [node('a')], jobs: [...flood, ...others] })));
  expect([flood, others].map((jobs) => jobs.filter(({ id }) => byProject.has(id)).length)).toEqual([2, 2]);
  const bobs = Array.from({ length: 8 }, () => job({ owner: 'bob' }));
  const byUser = new Set(admitted(planner({ nodes: [node('a')], jobs: [...flood, ...bobs] })));
  expect([flood, bobs].map((jobs) => jobs.filter(({ id }) => byUser.has(id)).length)).toEqual([2, 2]);
});

test('projects and users get by their weight, and no more than their limit', () => {
  const of = (project: string, owner: string): readonly PlannedJob[] =>
    Array.from({ length: 8 }, () => job({ project, owner }));
  const jobs = [of('one', 'alice'), of('one', 'bob'), of('two', 'alice'), of('two', 'bob')];
  const counts = (shares: Parameters<typeof facts>[2]): readonly number[] => {
    const nodes = [node('a', { cpu: 8 })];
    const all = new Set(admitted(planner({ facts: facts({}, [], shares), nodes, jobs: jobs.flat() })));
    return jobs.map((some) => some.filter(({ id }) => all.has(id)).length);
  };
  expect(counts({})).toEqual([2, 2, 2, 2]);
  expect(counts({ 'acme/one': { weight: 3 } })).toEqual([3, 3, 1, 1]);
  expect(counts({ 'acme/one/alice': { weight: 3 } })).toEqual([3, 1, 2, 2]);
  expect(counts({ 'acme/one': { limit: { cpu: 2 } } })).toEqual([1, 1, 3, 3]);
  expect(counts({ 'acme/two/bob': { limit: { runningJobs: 0 } } })).toEqual([2, 2, 4, 0]);
  expect(counts({ acme: { limit: { cpu: 4 } } })).toEqual([1, 1, 1, 1]);
});

test('a job without GPUs leaves the node that has them free', () => {
  const nodes = [node('a', { extended: { [NVIDIA]: 8 }, cpu: 2 }), node('b')];
  const one = job();
  expect(places(planner({ nodes, jobs: [one] }))).toEqual({ [one.id]: 'b' });
});

test('a job whose Pod is not bound yet holds its room, and moves to where it is bound', () => {
  const [first, second] = [job({ cpu: 3 }), job({ cpu: 2 })];
  const made = planner({ nodes: [node('a')], jobs: [running(first, null), second] });
  expect(admitted(made)).toEqual([]);
  made.setNodes([node('a'), node('b', { cpu: 3 })], NOW);
  made.setJob(first.id, running(first, 'b'), NOW);
  expect(places(made)).toEqual({ [second.id]: 'a' });
});

test('a job whose Pod is not bound yet holds room where it was planned, also after a restart', () => {
  const nodes = [node('a', { cpu: 2 }), node('b')];
  const held = running(job({ cpu: 1 }), null, { planned: 'b' });
  const [two, four] = [job({ cpu: 2 }), job({ cpu: 4 })];
  expect(places(planner({ nodes, jobs: [held, two, four] }))).toEqual({ [two.id]: 'a' });
  const gone = running(job({ cpu: 1 }), null, { planned: 'c' });
  expect(places(planner({ nodes, jobs: [gone, four] }))).toEqual({ [four.id]: 'b' });
});

test('a job whose Pod is not bound yet holds room on another node once its own takes none', () => {
  const made = planner({ nodes: [node('a'), node('b')], jobs: [running(job({ cpu: 3 }), null)] });
  made.setNodes([node('a', { ready: false }), node('b')], NOW);
  made.setJob('late', job({ id: 'late', cpu: 4 }), NOW);
  expect(admitted(made)).toEqual([]);
});

test('small jobs pass a large one, until it has waited long enough to have a node kept', () => {
  const nodes = [node('a'), node('b')];
  const busy = [running(job({ cpu: 2 }), 'a'), running(job({ cpu: 3, lifeSpanMinutes: 60 }), 'b')];
  const small = job({ cpu: 0.5 });
  const young = planner({ nodes, jobs: [...busy, job({ cpu: 4, age: 1 }), small] });
  expect(admitted(young)).toEqual([small.id]);

  const old = planner({ nodes, jobs: [...busy, job({ cpu: 4, age: RESERVE_AFTER_MS / 1000 })] });
  old.decide(NOW);
  const others = [job({ cpu: 1 }), job({ cpu: 1 }), job({ cpu: 1 })];
  for (const other of others) old.setJob(other.id, other, NOW);
  expect(Object.values(places(old))).toEqual(['a', 'a']);
  expect(explainWaiting(old, [others[2]?.id ?? '']).waiting[0]?.description).toMatch(/1 is kept for another job/);
});

test('a job that a quota stops keeps no node', () => {
  const stopped = job({ cpu: 4, age: 3600 });
  const other = job({ cpu: 4, project: 'two' });
  const made = planner({
    facts: facts({ 'acme/one': { runningJobs: 0 } }),
    nodes: [node('a')],
    jobs: [stopped, other],
  });
  expect(admitted(made)).toEqual([other.id]);
});

test('quotas and nodes are filled to the byte', () => {
  const gigabytes = (count: number) => needs(0.1, count * 1e9);
  const jobs = Array.from({ length: 11 }, () => job({ resources: gigabytes(1) }));
  const byQuota = planner({
    facts: facts({ 'acme/one': { memory: 10e9 } }),
    nodes: [node('a', { memory: 64e9 })],
    jobs,
  });
  expect(admitted(byQuota)).toHaveLength(10);
  expect(admitted(planner({ nodes: [node('a', { memory: 7e9 })], jobs }))).toHaveLength(7);
  expect(admitted(planner({ nodes: [node('a', { memory: 7e9 - 1 })], jobs }))).toHaveLength(6);
});

test('devices of a second vendor beside another, and more of one than can be numbered, are counted', () => {
  const amd = () => job({ resources: needs(0.1, GIB, { [AMD]: 1 }) });
  const nodes = [node('a', { extended: { [NVIDIA]: 1, [AMD]: 2 } }), node('b', { extended: { [AMD]: 1 } })];
  const jobs = [amd(), amd(), amd(), amd(), job({ gpu: 1 }), job({ gpu: 1 })];
  expect(Object.values(places(planner({ nodes, jobs }))).sort()).toEqual(['a', 'a', 'a', 'b']);
  const quota = facts({ 'acme/one': { gpu: 2 } });
  expect(admitted(planner({ facts: quota, nodes, jobs }))).toHaveLength(2);
  const shared = [node('a', { extended: { [NVIDIA]: 100 }, pods: 200, cpu: 50, memory: 200 * GIB })];
  const many = Array.from({ length: 101 }, () => job({ cpu: 0.1, gpu: 1 }));
  expect(admitted(planner({ nodes: shared, jobs: many }))).toHaveLength(100);
});

test('a second vendor on a node that joins makes a new planner, as another configuration does', () => {
  const one = [node('a', { extended: { [NVIDIA]: 1 } })];
  const made = planner({ nodes: one });
  expect(made.isFor(facts(), one)).toBe(true);
  expect(made.isFor(facts(), [...one, node('b', { extended: { [NVIDIA]: 1, [AMD]: 1 } })])).toBe(false);
  expect(made.isFor(facts({ acme: { cpu: 1 } }), one)).toBe(false);
});

test('a planner that was asked for very many kinds of jobs is to be made anew', () => {
  const made = planner({});
  for (let kind = 1; kind <= 300; kind += 1) {
    made.setJob('j', job({ id: 'j', cpu: kind }), NOW);
    expect(made.queued).toBe(1);
  }
  expect(made.isFor(facts(), [])).toBe(false);
});

test('a node that is kept for GPUs takes none but jobs with one', () => {
  const nodes = [node('a', { extended: { [NVIDIA]: 1 }, taints: [NVIDIA] })];
  const [plain, gpu] = [job(), job({ gpu: 1 })];
  expect(admitted(planner({ nodes, jobs: [plain, gpu] }))).toEqual([gpu.id]);
});

test('a device that is lost and comes back is as taken as before', () => {
  const has = (devices: number) => [node('a', { extended: { [NVIDIA]: devices } })];
  const made = planner({ nodes: has(2), jobs: [running(job({ gpu: 1 }), 'a'), running(job({ gpu: 1 }), 'a')] });
  made.setJob('late', job({ id: 'late', gpu: 1 }), NOW);
  for (const devices of [2, 1, 2, 0, 2]) {
    made.setNodes(has(devices), NOW);
    expect(admitted(made)).toEqual([]);
  }
  made.setNodes(has(3), NOW);
  expect(admitted(made)).toEqual(['late']);
});

test('who lost a device has the next that is free', () => {
  const has = (devices: number) => [node('a', { extended: { [NVIDIA]: devices } })];
  const [first, second] = [job({ gpu: 1 }), job({ gpu: 1 })];
  const made = planner({ nodes: has(2), jobs: [running(first, 'a'), running(second, 'a'), job({ gpu: 1 })] });
  made.setNodes(has(1), NOW);
  made.setJob(first.id, undefined, NOW);
  expect(admitted(made)).toEqual([]);
  made.setJob(second.id, undefined, NOW);
  expect(admitted(made)).toHaveLength(1);
});

test('a node without jobs that is not reported any more is none', () => {
  const made = planner({ nodes: [node('a', { cpu: 0 })], jobs: [job()] });
  made.setNodes([], NOW);
  made.decide(NOW);
  expect(explainWaiting(made, made.waiting).waiting[0]?.description).toBe('No node has joined the cluster.');
});

test('jobs on a node that is not reported any more count against quotas, and nothing goes there', () => {
  const held = job();
  const quota = facts({ 'acme/one': { runningJobs: 1 } });
  const made = planner({ facts: quota, nodes: [node('a')], jobs: [running(held, 'a'), job()] });
  made.setNodes([], NOW);
  expect(admitted(made)).toEqual([]);
  made.setNodes([node('a', { cpu: 1 })], NOW);
  expect(admitted(made)).toEqual([]);
  made.setNodes([], NOW);
  made.setJob(held.id, undefined, NOW);
  made.decide(NOW);
  expect(explainWaiting(made, made.waiting).waiting[0]?.description).toBe('No node has joined the cluster.');
});

test('a decision that was not carried out is taken back when the row is told again', () => {
  const [first, second] = [job({ cpu: 4, age: 1 }), job({ cpu: 4 })];
  const made = planner({ nodes: [node('a')], jobs: [first, second] });
  expect(admitted(made)).toEqual([first.id]);
  // Killed before it was written: its row is watched no more.
  made.setJob(first.id, undefined, NOW);
  expect(admitted(made)).toEqual([second.id]);
  // Not written at all: it is in the queue as before.
  made.setJob(second.id, second, NOW);
  expect(admitted(made)).toEqual([second.id]);
});

test('a job keeps what it was submitted with when the catalogue changes', () => {
  const catalogue = facts({}, [{ name: 'any', resources: needs(4, GIB), pools: [] }]);
  const one = job({ preset: 'any', cpu: 2 });
  const made = planner({ facts: catalogue, nodes: [node('a', { cpu: 3 })], jobs: [one] });
  expect(made.roomFor('any')).toBe(0);
  expect(admitted(made)).toEqual([one.id]);
});

test('what is expected follows the start of the container and a longer life-span', () => {
  const held = job({ cpu: 4, lifeSpanMinutes: 10 });
  const waits = job({ cpu: 4 });
  const made = planner({ nodes: [node('a')], jobs: [running(held, 'a'), waits] });
  const expected = (): string | undefined => {
    made.decide(NOW);
    return explainWaiting(made, [waits.id]).waiting[0]?.description.match(/by (.*) UTC/)?.[1];
  };
  expect(expected()).toBe('2026-01-01 12:10');
  made.setJob(held.id, running(held, 'a', { since: later(300) }), NOW);
  expect(expected()).toBe('2026-01-01 12:15');
  made.setJob(held.id, running({ ...held, lifeSpanMinutes: 20 }, 'a', { since: later(300) }), NOW);
  expect(expected()).toBe('2026-01-01 12:25');
});
