import type { NodeReport, Quota } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { countFits, freeNodes, obstacle } from '../../../runtime/src/scheduler/capacity.ts';
import { decide, RESERVE_AFTER_SECONDS } from '../../../runtime/src/scheduler/core.ts';
import type { ActiveJob, QueuedJob, SchedulerState } from '../../../runtime/src/scheduler/model.ts';

const GIB = 2 ** 30;
const NOW = new Date('2026-01-01T12:00:00Z');

const node = (name: string, facts: Partial<NodeReport> = {}): NodeReport => ({
  name,
  pool: 'default',
  ready: true,
  schedulable: true,
  cpu: 4,
  memory: 8 * GIB,
  extended: {},
  pods: 50,
  ...facts,
});

let counter = 0;
const job = (
  facts: Partial<QueuedJob> & { cpu?: number; gib?: number; gpu?: number; age?: number } = {},
): QueuedJob => {
  const { cpu = 1, gib = 1, gpu = 0, age = 0, ...rest } = facts;
  return {
    id: `job-${String(++counter).padStart(4, '0')}`,
    org: 'acme',
    project: 'one',
    priority: 0,
    createdAt: new Date(NOW.getTime() - age * 1000),
    needs: { milliCpu: cpu * 1000, memory: gib * GIB, extended: gpu === 0 ? {} : { 'nvidia.com/gpu': gpu } },
    pools: [],
    ...rest,
  };
};

const running = (of: QueuedJob, on: string | null, pool = 'default'): ActiveJob => ({
  id: of.id,
  org: of.org,
  project: of.project,
  needs: of.needs,
  pool,
  node: on,
});

const state = (facts: Partial<SchedulerState>): SchedulerState => ({
  now: NOW,
  nodes: [],
  active: [],
  queued: [],
  orgQuotas: new Map(),
  projectQuotas: new Map(),
  ...facts,
});

const why = (facts: Partial<SchedulerState>): string | undefined => decide(state(facts)).waiting[0]?.description;

test.each([
  ['no node has joined the cluster', { queued: [job()] }],
  ['no node of pool gpus has joined the cluster', { nodes: [node('a')], queued: [job({ pools: ['gpus'] })] }],
  [
    'no room on 2 nodes: 2 lack memory (6.0 GiB needed)',
    {
      nodes: [node('a'), node('b')],
      active: [running(job({ gib: 4 }), 'a'), running(job({ gib: 4 }), 'b')],
      queued: [job({ gib: 6 })],
    },
  ],
  [
    'no room on 1 node: 1 lacks CPU (4 needed)',
    { nodes: [node('a')], active: [running(job(), 'a')], queued: [job({ cpu: 4 })] },
  ],
  [
    'no room on 1 node: 1 lacks memory (64.0 GiB needed); none is large enough even when empty',
    { nodes: [node('a')], queued: [job({ gib: 64 })] },
  ],
  [
    'no room on 1 node: 1 lacks nvidia.com/gpu (1 needed); none is large enough even when empty',
    { nodes: [node('a')], queued: [job({ gpu: 1 })] },
  ],
  [
    'no room on 3 nodes: 1 is not ready, 1 takes no new jobs, 1 is full (number of Pods)',
    {
      nodes: [node('a', { ready: false }), node('b', { schedulable: false }), node('c', { pods: 1 })],
      active: [running(job(), 'c')],
      queued: [job()],
    },
  ],
  [
    'project acme/one runs 1 jobs, its quota is 1: this one waits until one of them ends',
    {
      nodes: [node('a')],
      active: [running(job(), 'a')],
      queued: [job()],
      projectQuotas: new Map<string, Quota>([['acme/one', { runningJobs: 1 }]]),
    },
  ],
  [
    'organization acme uses 1 cores of its quota of 1.5 cores, and this job needs 1 cores',
    {
      nodes: [node('a')],
      active: [running(job(), 'a')],
      queued: [job()],
      orgQuotas: new Map<string, Quota>([['acme', { cpu: 1.5 }]]),
    },
  ],
  [
    'project acme/one uses 512 MiB of its quota of 1.0 GiB, and this job needs 1.0 GiB',
    {
      nodes: [node('a')],
      active: [running(job({ gib: 0.5 }), 'a')],
      queued: [job()],
      projectQuotas: new Map<string, Quota>([['acme/one', { memory: GIB }]]),
    },
  ],
  [
    'project acme/one uses 0 GPUs of its quota of 1 GPUs, and this job needs 2 GPUs',
    {
      nodes: [node('a', { extended: { 'nvidia.com/gpu': 4 } })],
      queued: [job({ gpu: 2 })],
      projectQuotas: new Map<string, Quota>([['acme/one', { gpu: 1 }]]),
    },
  ],
] satisfies readonly [string, Partial<SchedulerState>][])('a waiting job is told: %s', (expected, facts) => {
  expect(why(facts)).toBe(expected);
});

test('priority goes before age, age before id', () => {
  const [young, old, urgent] = [job({ cpu: 4, age: 1 }), job({ cpu: 4, age: 2 }), job({ cpu: 4, priority: 1 })];
  const order = [0, 1, 2].map((admitted) => {
    const nodes = Array.from({ length: admitted + 1 }, (_, index) => node(`n${index}`));
    return decide(state({ nodes, queued: [young, old, urgent] })).admit.at(-1)?.id;
  });
  expect(order).toEqual([urgent.id, old.id, young.id]);
});

test('a job without GPUs leaves the node that has them free', () => {
  const nodes = [node('a', { extended: { 'nvidia.com/gpu': 8 }, cpu: 2 }), node('b')];
  expect(decide(state({ nodes, queued: [job()] })).admit[0]?.node).toBe('b');
});

test('a job whose Pod is not bound yet holds its room', () => {
  const nodes = [node('a')];
  const active = [running(job({ cpu: 3 }), null)];
  expect(decide(state({ nodes, active, queued: [job({ cpu: 2 })] })).admit).toEqual([]);
});

test('small jobs pass a large one, until it has waited long enough to have a node kept', () => {
  const nodes = [node('a'), node('b')];
  const active = [running(job({ cpu: 2 }), 'a'), running(job({ cpu: 3 }), 'b'), running(job({ cpu: 0.5 }), 'b')];
  const small = job({ cpu: 0.5 });
  const young = decide(state({ nodes, active, queued: [job({ cpu: 4, age: 1 }), small] }));
  expect(young.admit.map(({ id }) => id)).toEqual([small.id]);

  const large = job({ cpu: 4, age: RESERVE_AFTER_SECONDS });
  const others = [job({ cpu: 0.5 }), job({ cpu: 0.5 })];
  const old = decide(state({ nodes, active, queued: [large, ...others] }));
  expect(old.admit.map(({ node: name }) => name)).toEqual(['b']);
  expect(old.waiting.at(-1)?.description).toBe(
    'no room on 2 nodes: 1 is kept for a job that has waited longer, 1 lacks CPU (0.5 needed)',
  );
});

test('a job that a quota stops keeps no node', () => {
  const stopped = job({ cpu: 4, age: 3600, project: 'tight' });
  const other = job({ cpu: 4 });
  const projectQuotas = new Map<string, Quota>([['acme/tight', { runningJobs: 0 }]]);
  const { admit } = decide(state({ nodes: [node('a')], queued: [stopped, other], projectQuotas }));
  expect(admit.map(({ id }) => id)).toEqual([other.id]);
});

const anyNode = fc.record({
  pool: fc.constantFrom('default', 'gpus'),
  ready: fc.boolean(),
  schedulable: fc.boolean(),
  cpu: fc.integer({ min: 0, max: 8 }),
  gib: fc.integer({ min: 0, max: 8 }),
  gpu: fc.integer({ min: 0, max: 4 }),
  pods: fc.integer({ min: 0, max: 5 }),
});
const anyJob = fc.record({
  cpu: fc.constantFrom(0.1, 0.5, 1, 3),
  gib: fc.constantFrom(0.5, 1, 4),
  gpu: fc.constantFrom(0, 0, 1, 2),
  priority: fc.constantFrom(-1, 0, 1),
  age: fc.integer({ min: 0, max: 120 }),
  project: fc.constantFrom('one', 'two'),
  pools: fc.constantFrom([], ['gpus'], ['default']),
  on: fc.nat(9),
});
const anyQuota = fc.record(
  {
    runningJobs: fc.nat(4),
    cpu: fc.nat(4),
    memory: fc.integer({ min: 1, max: 6 }).map((gib) => gib * GIB),
    gpu: fc.nat(3),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Quota>;

const anyState: fc.Arbitrary<SchedulerState> = fc
  .record({
    nodes: fc.array(anyNode, { maxLength: 5 }),
    active: fc.array(anyJob, { maxLength: 6 }),
    queued: fc.array(anyJob, { maxLength: 15 }),
    quotas: fc.tuple(anyQuota, anyQuota, anyQuota),
  })
  .map(({ nodes, active, queued, quotas }) => {
    const reports = nodes.map(({ gib, gpu, ...rest }, index) =>
      node(`n${index}`, { ...rest, memory: gib * GIB, extended: gpu === 0 ? {} : { 'nvidia.com/gpu': gpu } }),
    );
    return state({
      nodes: reports,
      active: active.map(({ on, ...facts }) => {
        const place = reports[on];
        return running(job(facts), place?.name ?? null, place?.pool ?? 'default');
      }),
      queued: queued.map(({ on: _on, ...facts }) => job(facts)),
      orgQuotas: new Map([['acme', quotas[0]]]),
      projectQuotas: new Map([
        ['acme/one', quotas[1]],
        ['acme/two', quotas[2]],
      ]),
    });
  });

/** The state after the admissions. */
function after(before: SchedulerState): SchedulerState {
  const { admit } = decide(before);
  const byId = new Map(before.queued.map((queued) => [queued.id, queued]));
  const admitted = admit.flatMap(({ id, pool, node: name }) => {
    const queued = byId.get(id);
    return queued === undefined ? [] : [running(queued, name, pool)];
  });
  return { ...before, active: [...before.active, ...admitted], queued: [] };
}

test('every queued job is either admitted or told why not, once', () => {
  fc.assert(
    fc.property(anyState, (given) => {
      const { admit, waiting } = decide(given);
      const told = [...admit, ...waiting].map(({ id }) => id).toSorted();
      expect(told).toEqual(given.queued.map(({ id }) => id).toSorted());
      for (const { description } of waiting) expect(description).not.toBe('');
    }),
  );
});

test('no admission exceeds what a node has', () => {
  fc.assert(
    fc.property(anyState, (given) => {
      const { admit } = decide(given);
      const used = new Set(admit.map(({ node: name }) => name));
      for (const free of freeNodes(given.nodes, after(given).active)) {
        if (!used.has(free.name)) continue;
        expect(free.milliCpu).toBeGreaterThanOrEqual(0);
        expect(free.memory).toBeGreaterThanOrEqual(0);
        expect(free.pods).toBeGreaterThanOrEqual(0);
        // A job that runs already may hold devices that its node has lost since: only what is admitted is judged.
        const asked = given.queued.filter(({ id }) => admit.some((one) => one.id === id && one.node === free.name));
        for (const name of asked.flatMap(({ needs }) => Object.keys(needs.extended))) {
          expect(free.extended.get(name)).toBeGreaterThanOrEqual(0);
        }
        expect(free.report.ready && free.report.schedulable).toBe(true);
      }
    }),
  );
});

test('no admission exceeds a quota', () => {
  fc.assert(
    fc.property(anyState, (given) => {
      const { admit } = decide(given);
      const touched = new Set(admit.map(({ id }) => given.queued.find((queued) => queued.id === id)?.project));
      const total = (jobs: readonly ActiveJob[]) => ({
        runningJobs: jobs.length,
        cpu: jobs.reduce((sum, { needs }) => sum + needs.milliCpu, 0) / 1000,
        memory: jobs.reduce((sum, { needs }) => sum + needs.memory, 0),
        gpu: jobs.reduce((sum, { needs }) => sum + (needs.extended['nvidia.com/gpu'] ?? 0), 0),
      });
      const { active } = after(given);
      const scopes = [
        ...[...touched].map((project) => ({
          quota: given.projectQuotas.get(`acme/${project}`),
          used: total(active.filter((one) => one.project === project)),
          own: given.queued.filter(({ id, project: name }) => name === project && admit.some((one) => one.id === id)),
        })),
        {
          quota: admit.length === 0 ? undefined : given.orgQuotas.get('acme'),
          used: total(active),
          own: given.queued.filter(({ id }) => admit.some((one) => one.id === id)),
        },
      ];
      for (const { quota, used, own } of scopes) {
        if (quota?.runningJobs !== undefined) expect(used.runningJobs).toBeLessThanOrEqual(quota.runningJobs);
        if (quota?.cpu !== undefined) expect(used.cpu).toBeLessThanOrEqual(quota.cpu);
        if (quota?.memory !== undefined) expect(used.memory).toBeLessThanOrEqual(quota.memory);
        // Who asks for no GPU is not held up by others' GPUs.
        const gpus = own.some(({ needs }) => 'nvidia.com/gpu' in needs.extended);
        if (quota?.gpu !== undefined && gpus) expect(used.gpu).toBeLessThanOrEqual(quota.gpu);
      }
    }),
  );
});

test('no room stays empty that a waiting job could have, unless it is kept for an older one', () => {
  fc.assert(
    fc.property(anyState, (given) => {
      const { waiting } = decide(given);
      const old = given.queued.filter(
        ({ createdAt }) => NOW.getTime() - createdAt.getTime() >= RESERVE_AFTER_SECONDS * 1000,
      );
      const free = freeNodes(given.nodes, after(given).active);
      for (const { id, reason } of waiting) {
        const waits = given.queued.find((queued) => queued.id === id);
        if (reason !== 'NoCapacity' || waits === undefined) continue;
        const open = free.filter(
          (one) =>
            (waits.pools.length === 0 || waits.pools.includes(one.pool)) && obstacle(one, waits.needs) === undefined,
        );
        if (old.length === 0) expect(open).toEqual([]);
        // One node of a pool is kept at most.
        else expect(open.length).toBeLessThanOrEqual(new Set(open.map(({ pool }) => pool)).size);
      }
    }),
  );
});

test('the decision does not depend on the order of its lists', () => {
  fc.assert(
    fc.property(anyState, (given) => {
      const turned = {
        ...given,
        nodes: given.nodes.toReversed(),
        active: given.active.toReversed(),
        queued: given.queued.toReversed(),
      };
      expect(decide(turned)).toEqual(decide(given));
    }),
  );
});

test('capacity is the number of jobs that one round would admit', () => {
  fc.assert(
    fc.property(fc.array(anyNode, { maxLength: 4 }), anyJob, (nodes, { cpu, gib, gpu, pools }) => {
      const reports = nodes.map(({ gib: memory, gpu: devices, ...rest }, index) =>
        node(`n${index}`, { ...rest, memory: memory * GIB, extended: { 'nvidia.com/gpu': devices } }),
      );
      const jobs = Array.from({ length: 30 }, () => job({ cpu, gib, gpu, pools }));
      const { admit } = decide(state({ nodes: reports, queued: jobs }));
      const needs = job({ cpu, gib, gpu }).needs;
      expect(countFits(freeNodes(reports, []), needs, pools)).toBe(admit.length);
    }),
  );
});
