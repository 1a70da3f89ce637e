import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Decision, Scheduler, type Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { gpuNodes, world } from '../../support/scheduling/jobs.ts';
import { costOf, jobOf, leastCost } from '../../support/scheduling/what-if.ts';

const NOW = 100_000;
// Mostly alike, so that the work lost decides.
const PRIORITIES = ['low', 'normal', 'normal', 'normal', 'normal', 'high'] as const;
const QUEUES = ['o/a', 'o/b/u', 'o/b/v', 'p/c', 'q'];
/** In GPUs: of who mostly asks, and of who mostly has borrowed. */
const anyLarge = fc.constantFrom(undefined, 4, 5, 6, 8);
const anySmall = fc.constantFrom(undefined, undefined, 1, 2, 3);

/** Nodes full of jobs of five queues under a tree of guarantees, and one that waits. */
const anyLender = fc
  .record({
    nodes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 2, maxLength: 3 }),
    jobs: fc.array(
      fc.record({
        queue: fc.constantFrom(...QUEUES),
        priority: fc.constantFrom(...PRIORITIES),
        // Devices side by side, or a replica on each of two nodes.
        kind: fc.constantFrom('one', 'one', 'pair', 'gang'),
        firm: fc.constantFrom(false, false, false, false, false, true),
        age: fc.integer({ min: 0, max: 100 }),
      }),
      { minLength: 12, maxLength: 12 },
    ),
    guarantees: fc.record({ o: anyLarge, 'o/a': anyLarge, 'o/b': anySmall, p: anySmall, q: anySmall }),
    /** What is guaranteed beside devices, of one device fewer. */
    beside: fc.constantFrom(undefined, 'milliCpu' as const, 'milliCreditsPerHour' as const),
    quota: fc.constantFrom(undefined, undefined, 3000),
    minRunMs: fc.constantFrom(0, 30_000),
    preemption: fc.boolean(),
    claimant: fc.record({
      queue: fc.constantFrom('o/a', 'o/a', 'o/a', ...QUEUES),
      priority: fc.constantFrom('low' as const, 'normal' as const, 'high' as const),
      gpus: fc.constantFrom(1, 1, 2, 3),
      count: fc.constantFrom(1, 2, 3),
      firm: fc.boolean(),
    }),
  })
  .map(({ nodes, jobs, guarantees, beside, quota, minRunMs, preemption, claimant }): Snapshot => {
    const free = nodes.flatMap((count, n) => Array.from({ length: count }, (_, device) => ({ node: `n${n}`, device })));
    const running = jobs.flatMap(({ queue, priority, kind, firm, age }, j) => {
      const first = free.shift();
      if (first === undefined) return [];
      const { node, device } = first;
      let gpus = [device];
      let beside: (typeof free)[number] | undefined;
      if (kind === 'pair' && free[0]?.node === node) gpus = [device, (free.shift() ?? first).device];
      if (kind === 'gang') {
        const at = free.findIndex((each) => each.node !== node);
        if (at >= 0) [beside] = free.splice(at, 1);
      }
      const places = [
        { group: 0, node, gpus },
        ...(beside === undefined ? [] : [{ group: 0, node: beside.node, gpus: [beside.device] }]),
      ];
      return [
        {
          id: `r${j}`,
          queue,
          priority,
          submittedAt: 0,
          groups: [{ preset: `${firm ? 'firm' : 'spot'}-${gpus.length}`, count: places.length }],
          running: { startedAt: NOW - 1000 * age, pods: places },
        },
      ];
    });
    return world({
      now: NOW,
      policy: { minRunMs, preemption },
      pools: [{ name: 'p' }],
      nodes: gpuNodes(nodes),
      presets: [1, 2, 3].flatMap((count) =>
        [true, false].map((preemptible) => ({
          name: `${preemptible ? 'spot' : 'firm'}-${count}`,
          milliCpu: 1000 * count,
          memoryMiB: 0,
          milliCreditsPerHour: 1000 * count,
          preemptible,
          gpu: { kind: 'whole' as const, count },
        })),
      ),
      scopes: ['o', 'o/a', 'o/b', 'o/b/u', 'o/b/v', 'p', 'p/c', 'q'].map((name) => {
        const above = name.slice(0, Math.max(0, name.lastIndexOf('/')));
        const part = guarantees[name as keyof typeof guarantees];
        const more = beside === undefined ? {} : { [beside]: 1000 * ((part ?? 1) - 1) };
        return {
          name,
          kind: (['organization', 'project', 'user'] as const)[name.split('/').length - 1] ?? 'user',
          ...(above === '' ? {} : { parent: above }),
          ...(part === undefined ? {} : { guarantee: { milliGpu: 1000 * part, ...more } }),
          ...(name === 'o' && quota !== undefined ? { quota: { milliGpu: quota } } : {}),
        };
      }),
      jobs: [
        ...running,
        {
          id: 'claimant',
          queue: claimant.queue,
          priority: claimant.priority,
          submittedAt: 99_000,
          groups: [{ preset: `${claimant.firm ? 'firm' : 'spot'}-${claimant.gpus}`, count: claimant.count }],
        },
      ],
    });
  });

const isStarted = (decisions: readonly Decision[]): boolean =>
  decisions.some((each) => each.kind === 'start' && each.job === 'claimant');

test('what was lent comes back from those whose loss brute force finds the cheapest, wherever a guarantee allows it', () => {
  fc.assert(
    fc.property(anyLender, (given) => {
      const claimant = jobOf(given, 'claimant');
      const { decisions } = new Scheduler(given, PLACEMENTS).cycle(given.now);
      const victims = decisions.flatMap((each) =>
        each.kind === 'preempt' && each.for === 'claimant' ? [jobOf(given, each.job)] : [],
      );
      const least = leastCost(given, claimant);
      expect(isStarted(decisions)).toBe(least !== undefined);
      if (least !== undefined) {
        expect(victims.reduce((sum, each) => sum + costOf(given, each), 0)).toBeCloseTo(least, 6);
      }
    }),
    { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 600) },
  );
});

test('what a minimum run time keeps comes back at the instant at which it ends', () => {
  let late = 0;
  fc.assert(
    fc.property(anyLender, (lender) => {
      const given: Snapshot = { ...lender, policy: { ...lender.policy, minRunMs: 60_000 } };
      const scheduler = new Scheduler(given, PLACEMENTS);
      let cycle = scheduler.cycle(given.now);
      // Others are left as they are: nobody else waits.
      while (!isStarted(cycle.decisions)) {
        expect(cycle.decisions).toEqual([]);
        const then: Snapshot = { ...given, now: cycle.next ?? given.now + 60_000 };
        const before: Snapshot = { ...then, now: then.now - 1 };
        expect(leastCost(before, jobOf(given, 'claimant'))).toBeUndefined();
        if (cycle.next === undefined) {
          expect(leastCost(then, jobOf(given, 'claimant'))).toBeUndefined();
          return;
        }
        late += 1;
        cycle = scheduler.cycle(cycle.next);
      }
    }),
    { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 300) },
  );
  expect(late).toBeGreaterThan(20);
});
