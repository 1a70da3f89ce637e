import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Explainer, Scheduler, snapshotOf } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { amounts, forbidden, hasRoom, leastOf, running } from '../../support/scheduling/checker.ts';
import { world } from '../../support/scheduling/jobs.ts';
import { play, reshaped } from '../../support/scheduling/random-history.ts';
import { QUEUES } from '../../support/scheduling/random-world.ts';
import { jobOf, without } from '../../support/scheduling/what-if.ts';

/** Jobs of several sizes that end exactly with their life-span, and either few nodes, or many and a quota. */
const anyLoad = fc.record({
  nodes: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 }),
  quota: fc.constantFrom(undefined, 3000, 5000),
  /** Few nodes as well as a quota: then the time that one of them promises is not bound to hold for the other. */
  both: fc.boolean(),
  reserveAfterMs: fc.constantFrom(0, 15),
  jobs: fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: 60 }),
      gpus: fc.integer({ min: 1, max: 4 }),
      replicas: fc.constantFrom(1, 1, 1, 2),
      lifeSpanMs: fc.integer({ min: 1, max: 40 }),
    }),
    { minLength: 4, maxLength: 14 },
  ),
});

/** Jobs that ask for whole nodes or much of them. */
const anyCrowd = reshaped(
  (job) => ({
    ...job,
    pools: [],
    volumes: [],
    groups: [{ preset: job.submittedAt % 2 === 0 ? 'gpu' : 'cpu-large', count: 1 }],
  }),
  {
    policy: world({ policy: { reserveAfterMs: 5 } }).policy,
    scopes: world({ scopes: ['a', ...QUEUES].map((name) => ({ name })) }).scopes,
  },
);

test('backfill never delays the reserved start of a job, be it nodes or a quota that is kept for it, and nobody starves', () => {
  const kept = { nodes: 0, quota: 0 };
  fc.assert(
    fc.property(anyLoad, ({ nodes, quota, both, reserveAfterMs, jobs }) => {
      const given = world({
        policy: { reserveAfterMs },
        pools: [{ name: 'p' }],
        nodes: (quota === undefined || both ? nodes : Array.from({ length: 16 }, () => 4)).map((count, n) => ({
          name: `n${n}`,
          pool: 'p',
          milliCpu: 1,
          memoryMiB: 1,
          gpu: { model: 'A100', count, memoryMiB: 1 },
        })),
        presets: [1, 2, 3, 4].map((count) => ({
          name: `g${count}`,
          milliCpu: 0,
          memoryMiB: 0,
          gpu: { kind: 'whole', count },
        })),
        scopes: [{ name: 'o', ...(quota === undefined ? {} : { quota: { milliGpu: quota } }) }],
        jobs: jobs.map(({ at, gpus, replicas, lifeSpanMs }, n) => ({
          id: `j${n}`,
          queue: 'o',
          submittedAt: at,
          lifeSpanMs,
          groups: [{ preset: `g${gpus}`, count: replicas }],
        })),
      });
      const scheduler = new Scheduler({ ...given, jobs: [] }, PLACEMENTS);
      const ends = new Map<string, number>();
      const promised = new Map<string, number>();
      for (let now = 0; now < 700; now += 1) {
        for (const [id, end] of ends) if (end === now) scheduler.finish(id, now);
        for (const job of given.jobs) if (job.submittedAt === now) scheduler.submit(job, now);
        for (const decision of scheduler.cycle(now).decisions) {
          if (decision.kind !== 'start') continue;
          const job = given.jobs.find(({ id }) => id === decision.job);
          ends.set(decision.job, now + (job?.lifeSpanMs ?? 0));
          expect(now).toBeLessThanOrEqual(promised.get(decision.job) ?? Infinity);
        }
        for (const { job, due, scope } of snapshotOf(scheduler).reservations) {
          if (due === undefined || (both && quota !== undefined)) continue;
          kept[scope === undefined ? 'nodes' : 'quota'] += 1;
          promised.set(job, Math.min(due, promised.get(job) ?? Infinity));
        }
        for (const [id, due] of promised) expect(ends.has(id) || now <= due).toBe(true);
      }
      // All together last 560 ms at most, one after the other: whoever has not started by now could never.
      const explainer = new Explainer(scheduler.state);
      const left = given.jobs.filter(({ id }) => !ends.has(id));
      expect(left.map(({ id }) => explainer.explain(id)?.never)).toEqual(left.map(() => true));
    }),
    { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 100) },
  );
  expect(Math.min(kept.nodes, kept.quota)).toBeGreaterThan(10);
});

test('nodes are first kept for the oldest job of the highest priority that has waited for nothing but room', () => {
  const met = { priority: 0, age: 0 };
  const rank = { low: 0, normal: 1, high: 2 };
  fc.assert(
    fc.property(anyCrowd, (history) => {
      play(history, (before, _decided, scheduler) => {
        const after = snapshotOf(scheduler);
        const kept = after.reservations.find(({ scope }) => scope === undefined);
        if (kept === undefined || before.reservations.length > 0) return;
        const holder = jobOf(after, kept.job);
        const open = { ...after, reservations: [] };
        const empty = without(open, new Set(running(open).map(({ id }) => id)));
        const others = after.jobs.filter(
          (job) =>
            job.running === undefined &&
            job.submittedAt + (after.policy.reserveAfterMs ?? Infinity) <= after.now &&
            forbidden(open, job, amounts(open, job, leastOf(job))).length === 0 &&
            hasRoom(empty, job, leastOf(job)),
        );
        expect(others.map(({ id }) => id)).toContain(holder.id);
        for (const job of others) {
          if (job.id === holder.id) continue;
          const above = rank[holder.priority] - rank[job.priority];
          expect(above).toBeGreaterThanOrEqual(0);
          if (above > 0) met.priority += 1;
          else met.age += 1;
          if (above === 0) expect(job.submittedAt).toBeGreaterThanOrEqual(holder.submittedAt);
        }
      });
    }),
    { numRuns: 3 * Number(process.env.DELOS_TEST_RUNS ?? 100) },
  );
  expect(Math.min(met.priority, met.age)).toBeGreaterThan(10);
});
