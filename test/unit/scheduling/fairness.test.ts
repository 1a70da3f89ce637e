import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Scheduler, type Snapshot, type SnapshotInput, snapshotOf } from '../../../runtime/scheduling/src/index.ts';
import { simulate, workload } from '../../../runtime/simulator/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { isPreemptible } from '../../support/scheduling/checker.ts';
import { world } from '../../support/scheduling/jobs.ts';

const GPU = { kind: 'whole', count: 1 } as const;

test('while all have work to wait, shares converge to the weights', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 4 }),
      fc.constantFrom(0, 20_000),
      fc.integer({ min: 1, max: 1000 }),
      (weights, historyHalfLifeMs, seed) => {
        const names = weights.map((_, n) => `org-${n}`);
        const held = new Map<string, number>();
        const total = weights.reduce((sum, weight) => sum + weight, 0);
        const until = 300_000;
        const { jobs } = simulate(
          workload.parse({
            seed,
            until,
            policy: { historyHalfLifeMs },
            pools: [{ name: 'p' }],
            nodes: [
              { name: 'n', pool: 'p', milliCpu: 40_000, memoryMiB: 1, gpu: { model: 'A100', count: 24, memoryMiB: 1 } },
            ],
            presets: [{ name: 'gpu', milliCpu: 1000, memoryMiB: 0, gpu: GPU }],
            scopes: names.map((name, n) => ({ name, weight: weights[n] ?? 1 })),
            streams: names.map((name) => ({
              name,
              queue: name,
              groups: [{ preset: 'gpu' }],
              runMs: { mean: 5000 },
              everyMs: 0,
              count: 3000,
            })),
          }),
        );
        for (const { queue, startedAt, endedAt } of jobs) {
          if (startedAt !== undefined) held.set(queue, (held.get(queue) ?? 0) + (endedAt ?? until) - startedAt);
        }
        const all = [...held.values()].reduce((sum, time) => sum + time, 0);
        const average = (n: number): number => (held.get(`org-${n}`) ?? 0) / until;
        for (const [n, weight] of weights.entries()) {
          // Usage that is remembered evens out what whole jobs cannot.
          if (historyHalfLifeMs > 0) {
            expect(Math.abs((average(n) * until) / all - weight / total)).toBeLessThan(0.03);
            continue;
          }
          // Without memory two are as equal as whole jobs allow: within one job of each.
          for (const [m, other] of weights.entries()) {
            const apart = Math.abs(average(n) / weight - average(m) / other);
            expect(apart).toBeLessThanOrEqual(1 / weight + 1 / other);
          }
        }
      },
    ),
    { numRuns: 6 },
  );
});

/** A full cluster of one-GPU jobs, some lent, and somebody who wants what is guaranteed. */
const anyLoan = fc
  .record({
    gpus: fc.integer({ min: 1, max: 8 }),
    cuts: fc.array(fc.nat(8), { minLength: 2, maxLength: 4 }),
    demand: fc.array(fc.nat(8), { minLength: 4, maxLength: 4 }),
    late: fc.array(fc.nat(8), { minLength: 4, maxLength: 4 }),
    minRunMs: fc.constantFrom(0, 100),
  })
  .map(({ gpus, cuts, demand, late, minRunMs }) => {
    let left = gpus;
    const guarantees = cuts.map((cut) => {
      const part = Math.min(cut, left);
      left -= part;
      return part;
    });
    const input: SnapshotInput = {
      policy: { minRunMs },
      pools: [{ name: 'p' }],
      nodes: [
        { name: 'n', pool: 'p', milliCpu: 100_000, memoryMiB: 1, gpu: { model: 'A100', count: gpus, memoryMiB: 1 } },
      ],
      presets: [{ name: 'gpu', milliCpu: 1000, memoryMiB: 0, preemptible: true, gpu: GPU }],
      scopes: guarantees.map((part, n) => ({ name: `org-${n}`, guarantee: { milliGpu: part * 1000 } })),
    };
    return { input, guarantees, demand, late, minRunMs };
  });

const running = (snapshot: Snapshot, queue: string): number =>
  snapshot.jobs.filter((job) => job.queue === queue && job.running !== undefined).length;

test('a guarantee is restored in one cycle, or when the minimum run time of whom it takes is over', () => {
  fc.assert(
    fc.property(anyLoan, ({ input, guarantees, demand, late, minRunMs }) => {
      const scheduler = new Scheduler(world(input), PLACEMENTS);
      const submit = (wants: readonly number[], wave: string, now: number): void => {
        guarantees.forEach((_, n) => {
          for (let j = 0; j < (wants[n] ?? 0); j += 1) {
            const id = `${wave}-${n}-${j}`;
            const job = world({
              ...input,
              jobs: [{ id, queue: `org-${n}`, submittedAt: now, groups: [{ preset: 'gpu' }] }],
            }).jobs[0];
            if (job !== undefined) scheduler.submit(job, now);
          }
        });
      };
      const isRestored = (): boolean => {
        const after = snapshotOf(scheduler);
        return guarantees.every((part, n) => {
          const wants = (demand[n] ?? 0) + (late[n] ?? 0);
          return running(after, `org-${n}`) >= Math.min(part, wants);
        });
      };
      submit(demand, 'early', 0);
      scheduler.cycle(0);
      submit(late, 'late', 50);
      const { next } = scheduler.cycle(50);
      if (minRunMs <= 50) expect(isRestored()).toBe(true);
      else if (!isRestored()) {
        expect(next).toBe(minRunMs);
        scheduler.cycle(minRunMs);
        expect(isRestored()).toBe(true);
      }
      expect(snapshotOf(scheduler).jobs.every((job) => isPreemptible(snapshotOf(scheduler), job))).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('no job starves within a priority: a large one starts in spite of small ones that never cease', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 8 }),
      fc.integer({ min: 0, max: 50 }),
      fc.boolean(),
      fc.constantFrom('room', 'quota'),
      (gpus, slackMs, bounded, scarce) => {
        const reserveAfterMs = 5000;
        const runMs = 3000;
        const { jobs } = simulate(
          workload.parse({
            policy: { reserveAfterMs, order: 'submission' },
            pools: [{ name: 'p' }],
            nodes: [
              {
                name: 'n',
                pool: 'p',
                milliCpu: 100_000,
                memoryMiB: 1,
                gpu: { model: 'A100', count: scarce === 'room' ? gpus : 2 * gpus, memoryMiB: 1 },
              },
            ],
            presets: [
              { name: 'one', milliCpu: 1, memoryMiB: 0, gpu: GPU },
              { name: 'all', milliCpu: 1, memoryMiB: 0, gpu: { kind: 'whole', count: gpus } },
            ],
            scopes: [{ name: 'org', quota: scarce === 'room' ? {} : { milliGpu: 1000 * gpus } }],
            jobs: [{ id: 'large', at: 2500, queue: 'org', groups: [{ preset: 'all' }], runMs }],
            streams: [
              {
                name: 'small',
                queue: 'org',
                groups: [{ preset: 'one' }],
                runMs,
                ...(bounded ? { lifeSpanMs: runMs } : {}),
                // As many as the GPUs can just take: none waits, and all GPUs are never free at once.
                everyMs: Math.ceil(runMs / gpus) + slackMs,
                count: 400,
              },
            ],
          }),
        );
        const large = jobs.find(({ id }) => id === 'large');
        // Its nodes are kept from 7.5 s on, and what runs there then has ended 3 s later.
        expect(large?.startedAt).toBeLessThanOrEqual(2500 + reserveAfterMs + runMs);
      },
    ),
    { numRuns: 20 },
  );
});
