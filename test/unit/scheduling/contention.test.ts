import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Job,
  Scheduler,
  type Snapshot,
  type SnapshotInput,
  snapshotOf,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { lines, world } from '../../support/scheduling/jobs.ts';

/*
 * A crowded cluster in which guarantees, priorities, gangs and minimum run times meet: who may preempt whom changes with
 * every event, and a scheduler that keeps track of that must not miss any of it.
 */

const RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 60) };
const QUEUES = ['a/x/u', 'a/x/v', 'a/y', 'b/z', 'b/w', 'c'];

const presets: SnapshotInput['presets'] = [1, 2, 4].flatMap((count) =>
  [false, true].map((preemptible) => ({
    name: `gpu-${count}${preemptible ? '-spot' : ''}`,
    milliCpu: 500 * count,
    memoryMiB: 512,
    gpu: { kind: 'whole' as const, count },
    preemptible,
  })),
);

function jobOn(queue: string, preset: string, id: string): Job {
  return {
    id,
    queue,
    priority: 'normal',
    submittedAt: 0,
    groups: [{ preset, count: 1 }],
    pools: [],
    volumes: [],
    suspended: false,
  };
}

const guaranteed = fc.option(
  fc.integer({ min: 1, max: 5 }).map((gpus) => ({ milliGpu: gpus * 1000 })),
  { nil: {}, freq: 4 },
);
const quota = fc.option(
  fc.integer({ min: 2, max: 10 }).map((gpus) => ({ milliGpu: gpus * 1000 })),
  { nil: {}, freq: 1 },
);

const anyJob: fc.Arbitrary<Omit<Job, 'id' | 'submittedAt'>> = fc
  .record({
    queue: fc.constantFrom(...QUEUES),
    priority: fc.constantFrom('low' as const, 'normal' as const, 'high' as const),
    preset: fc.constantFrom(
      ...presets.map(({ name }) => name),
      'gpu-1-spot',
      'gpu-1-spot',
      'gpu-2-spot',
      'gpu-2-spot',
      'gpu-4-spot',
    ),
    count: fc.constantFrom(1, 1, 1, 2, 3),
    min: fc.constantFrom(undefined, 1, 2),
    second: fc.option(fc.constantFrom('gpu-1', 'gpu-1-spot'), { nil: undefined, freq: 6 }),
    lifeSpanMs: fc.constantFrom(undefined, undefined, 25, 60),
    within: fc.constantFrom(undefined, undefined, 'rack' as const),
  })
  .map(({ preset, count, min, second, lifeSpanMs, within, ...job }) => ({
    ...job,
    groups: [
      { preset, count, ...(min !== undefined && min <= count ? { min } : {}) },
      ...(second === undefined ? [] : [{ preset: second, count: 1 }]),
    ],
    ...(lifeSpanMs === undefined ? {} : { lifeSpanMs }),
    ...(within === undefined ? {} : { within }),
    pools: [],
    volumes: [],
    suspended: false,
  }));

const anyCrowd: fc.Arbitrary<Snapshot> = fc
  .record({
    nodes: fc.array(fc.record({ gpus: fc.constantFrom(2, 4, 4), rack: fc.constantFrom('r1', 'r2') }), {
      minLength: 2,
      maxLength: 4,
    }),
    guarantees: fc.tuple(guaranteed, guaranteed, guaranteed, guaranteed, guaranteed, guaranteed, guaranteed),
    quotas: fc.tuple(quota, quota, quota),
    policy: fc.record({
      minRunMs: fc.constantFrom(0, 20),
      order: fc.constantFrom('drf' as const, 'submission' as const),
      reserveAfterMs: fc.constantFrom(undefined, undefined, 30),
      resizing: fc.constantFrom(false, false, true),
      consolidation: fc.constantFrom(undefined, undefined, {}),
    }),
  })
  .map(({ nodes, guarantees: [a, x, u, y, b, z, c], quotas: [qa, qx, qb], policy }) =>
    world({
      policy,
      pools: [{ name: 'p' }],
      presets,
      nodes: nodes.map(({ gpus, rack }, n) => ({
        name: `n${n}`,
        pool: 'p',
        rack,
        milliCpu: 4000,
        memoryMiB: 8192,
        gpu: { model: 'A100', count: gpus, memoryMiB: 40_000 },
      })),
      scopes: [
        { name: 'a', kind: 'organization', guarantee: a, quota: qa },
        { name: 'a/x', parent: 'a', guarantee: x, quota: qx },
        { name: 'a/x/u', parent: 'a/x', kind: 'user', guarantee: u },
        { name: 'a/x/v', parent: 'a/x', kind: 'user' },
        { name: 'a/y', parent: 'a', guarantee: y },
        { name: 'b', kind: 'organization', guarantee: b, limit: qb },
        { name: 'b/z', parent: 'b', guarantee: z },
        { name: 'b/w', parent: 'b' },
        { name: 'c', kind: 'organization', guarantee: c },
      ],
    }),
  );

type Step =
  | { readonly kind: 'submit'; readonly job: Omit<Job, 'id' | 'submittedAt'> }
  | { readonly kind: 'finish' | 'cordon'; readonly nth: number }
  /** Time passes: to what the last cycle called next, or a part of the way there. */
  | { readonly kind: 'next' }
  | { readonly kind: 'wait'; readonly ms: number };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: anyJob.map((job) => ({ kind: 'submit' as const, job })) },
  { weight: 4, arbitrary: fc.nat(30).map((nth) => ({ kind: 'finish' as const, nth })) },
  { weight: 2, arbitrary: fc.nat(3).map((nth) => ({ kind: 'cordon' as const, nth })) },
  { weight: 3, arbitrary: fc.constant({ kind: 'next' as const }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: 15 }).map((ms) => ({ kind: 'wait' as const, ms })) },
);

/** Steps, and whether a cycle follows: several events may lie between two cycles. */
const anySteps = fc.array(
  fc.tuple(
    anyStep,
    fc.nat(3).map((n) => n > 0),
  ),
  { minLength: 10, maxLength: 50 },
);
const anyHistory = fc.record({ crowd: anyCrowd, steps: anySteps });

/** Runs a history; a judge sees the state before each cycle, what it decided, and what it called next. */
function play(
  { crowd, steps }: { readonly crowd: Snapshot; readonly steps: readonly (readonly [Step, boolean])[] },
  judge: (before: Snapshot, decided: readonly string[], scheduler: Scheduler, next: number | undefined) => void,
): void {
  const scheduler = new Scheduler(crowd, PLACEMENTS);
  let now = crowd.now;
  let next: number | undefined;
  const cycle = (): void => {
    const before = { ...snapshotOf(scheduler), now };
    const done = scheduler.cycle(now);
    next = done.next;
    judge(before, lines(done.decisions), scheduler, next);
  };
  steps.forEach(([step, cycles], n) => {
    // Life-spans are kept, as a cluster keeps them.
    const ended = snapshotOf(scheduler).jobs.filter(
      ({ running, lifeSpanMs }) =>
        running !== undefined && lifeSpanMs !== undefined && running.startedAt + lifeSpanMs <= now,
    );
    for (const { id } of ended) scheduler.finish(id, now);
    switch (step.kind) {
      case 'submit':
        scheduler.submit({ ...step.job, id: `j${n}`, submittedAt: now }, now);
        break;
      case 'finish': {
        const { jobs } = snapshotOf(scheduler);
        const job = jobs[step.nth % Math.max(1, jobs.length)];
        if (job !== undefined) scheduler.finish(job.id, now);
        break;
      }
      case 'cordon': {
        const node = scheduler.state.nodes.specs[step.nth % crowd.nodes.length];
        if (node !== undefined) scheduler.putNode({ ...node, cordoned: !node.cordoned }, now);
        break;
      }
      case 'next':
        now = Math.max(now, Math.min(next ?? now, now + 60));
        break;
      case 'wait':
        now += step.ms;
        break;
    }
    if (cycles) cycle();
  });
}

test('in a crowd, a scheduler that has seen every event decides as one made from scratch', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (before, decided, scheduler) => {
        const fresh = new Scheduler(before, PLACEMENTS);
        expect(decided).toEqual(lines(fresh.cycle(before.now).decisions));
        expect(snapshotOf(scheduler)).toEqual(snapshotOf(fresh));
      });
    }),
    RUNS,
  );
});

const NODE = { pool: 'p', milliCpu: 64_000, memoryMiB: 64_000 };
const gpus = (count: number) => ({ model: 'A100', count, memoryMiB: 40_000 });

test('a job that a guarantee ceases to cover, since one that goes before it has started, may be reclaimed at once', () => {
  const scheduler = new Scheduler(
    world({
      now: 100,
      pools: [{ name: 'p' }],
      presets,
      nodes: [
        { ...NODE, name: 'large', gpu: gpus(4) },
        { ...NODE, name: 'small', gpu: gpus(1) },
      ],
      scopes: [
        { name: 'a', kind: 'organization', guarantee: { milliGpu: 4000 } },
        { name: 'b', kind: 'organization', guarantee: { milliGpu: 4000 } },
      ],
      jobs: [
        {
          id: 'covered',
          queue: 'b',
          submittedAt: 0,
          groups: [{ preset: 'gpu-4-spot' }],
          running: { startedAt: 0, pods: [{ group: 0, node: 'large', gpus: [0, 1, 2, 3] }] },
        },
        { id: 'claimant', queue: 'a', submittedAt: 1, groups: [{ preset: 'gpu-4' }] },
      ],
    }),
    PLACEMENTS,
  );
  expect(lines(scheduler.cycle(100).decisions)).toEqual([]);
  scheduler.submit(jobOn('b', 'gpu-1', 'firm'), 101);
  expect(lines(scheduler.cycle(101).decisions)).toEqual([
    'start firm on small[0]',
    'preempt covered for claimant (reclaim)',
    'start claimant on large[0,1,2,3] (preempts)',
  ]);
});

test('when the minimum run time of a job ends that holds the quota of its project, one of higher priority starts in its place', () => {
  const scheduler = new Scheduler(
    world({
      policy: { minRunMs: 20 },
      pools: [{ name: 'p' }],
      presets,
      nodes: [{ ...NODE, name: 'n', gpu: gpus(8) }],
      scopes: [{ name: 'a', kind: 'organization', quota: { milliGpu: 4000 } }],
    }),
    PLACEMENTS,
  );
  scheduler.submit(jobOn('a', 'gpu-4-spot', 'first'), 0);
  scheduler.cycle(0);
  scheduler.submit({ ...jobOn('a', 'gpu-2', 'urgent'), priority: 'high' }, 5);
  expect(scheduler.cycle(5).next).toBe(20);
  expect(lines(scheduler.cycle(20).decisions)).toEqual([
    'preempt first for urgent (priority)',
    'start urgent on n[0,1] (preempts)',
  ]);
});

test('nothing would be decided between a cycle and what it calls next', () => {
  fc.assert(
    fc.property(anyHistory, fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), (history, part) => {
      play(history, (_before, _decided, scheduler, next) => {
        const after = snapshotOf(scheduler);
        expect(next ?? Infinity).toBeGreaterThan(after.now);
        const last = Math.min(next ?? Infinity, after.now + 60) - 1;
        const now = Math.floor(after.now + part * Math.max(0, last - after.now));
        const early = new Scheduler({ ...after, now }, PLACEMENTS);
        expect(lines(early.cycle(now).decisions)).toEqual([]);
      });
    }),
    RUNS,
  );
});
