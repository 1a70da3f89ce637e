import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Decision,
  type Job,
  Scheduler,
  type Snapshot,
  type SnapshotInput,
  snapshotOf,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import {
  amounts,
  couldStart,
  forbidden,
  hasRoom,
  isPreemptible,
  sizesOf,
  subsets,
  violations,
} from '../../support/scheduling/checker.ts';
import { gpuNodes, world } from '../../support/scheduling/jobs.ts';
import { anyHistory, play } from '../../support/scheduling/random-history.ts';
import { costOf, inTurn, jobOf, without } from '../../support/scheduling/what-if.ts';

const RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 100) };
const SINGLE = { kind: 'whole', count: 1 } as const;

/** Nodes on which preemptible jobs lie scattered, and jobs that want more devices at one place. */
const anyScattered = fc
  .record({
    nodes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 2, maxLength: 4 }),
    lies: fc.array(
      fc.record({ node: fc.nat(3), device: fc.nat(2), since: fc.nat(90), firm: fc.constantFrom(false, false, true) }),
      {
        minLength: 3,
        maxLength: 7,
      },
    ),
    wants: fc.array(fc.record({ gpus: fc.integer({ min: 1, max: 3 }), replicas: fc.constantFrom(1, 1, 1, 2) }), {
      minLength: 1,
      maxLength: 3,
    }),
    minRunMs: fc.constantFrom(0, 50),
    horizonMs: fc.constantFrom(1500, 1_000_000, 1_000_000),
  })
  .map(({ nodes, lies, wants, minRunMs, horizonMs }) => {
    const taken = new Set<string>();
    const running = lies.flatMap(({ node, device, since, firm }, n) => {
      const place = `${node} ${device}`;
      if (device >= (nodes[node] ?? 0) || taken.has(place)) return [];
      taken.add(place);
      return [
        {
          id: `r${n}`,
          queue: 'o/p',
          submittedAt: 0,
          groups: [{ preset: firm ? 'firm' : 'spot' }],
          running: { startedAt: 100 - since, pods: [{ group: 0, node: `n${node}`, gpus: [device] }] },
        },
      ];
    });
    const input: SnapshotInput = {
      now: 100,
      policy: { minRunMs, consolidation: { horizonMs } },
      pools: [{ name: 'p' }],
      nodes: gpuNodes(nodes),
      presets: [
        { name: 'spot', milliCpu: 0, memoryMiB: 0, preemptible: true, gpu: SINGLE },
        { name: 'firm', milliCpu: 0, memoryMiB: 0, gpu: SINGLE },
        ...[1, 2, 3].map((count) => ({
          name: `w${count}`,
          milliCpu: 0,
          memoryMiB: 0,
          gpu: { kind: 'whole' as const, count },
        })),
      ],
      scopes: [
        { name: 'o', kind: 'organization' },
        { name: 'o/p', parent: 'o', quota: { milliGpu: 9000 } },
      ],
      jobs: [
        ...running,
        ...wants.map(({ gpus, replicas }, n) => ({
          id: `w${n}`,
          queue: 'o/p',
          submittedAt: n,
          groups: [{ preset: `w${gpus}`, count: replicas }],
        })),
      ],
    };
    return world(input);
  });

/** Movable jobs that lose less together than a waiting job gains, and without which, all of them put elsewhere, it has room. */
function couldBeMovedFor(given: Snapshot, job: Job): boolean {
  const movable = given.jobs.filter(
    (each) =>
      each.running !== undefined &&
      isPreemptible(given, each) &&
      each.running.startedAt + Math.max(1, given.policy.minRunMs) <= given.now,
  );
  const horizon = given.policy.consolidation?.horizonMs ?? 0;
  const gain =
    (horizon / 1000) *
    (amounts(
      given,
      job,
      job.groups.map(({ count }) => count),
    ).milliGpu /
      1000);
  return subsets(movable).some((set) => {
    if (set.length === 0 || set.reduce((sum, each) => sum + costOf(given, each) - rankCost(each), 0) >= gain)
      return false;
    const cleared = without(given, new Set(set.map(({ id }) => id)));
    if (forbidden(given, job, amounts(given, job, sizesOfAll(job))).length > 0) return false;
    // All together, as one gang of unequal replicas.
    const together: Job = { ...job, id: 'together', groups: [...job.groups, ...set.flatMap(({ groups }) => groups)] };
    return hasRoom(cleared, together, sizesOfAll(together));
  });
}
const sizesOfAll = (job: Job): readonly number[] => job.groups.map(({ count }) => count);
const rankCost = ({ priority }: Job): number => ({ low: 0, normal: 1, high: 2 })[priority] * 1e9;

test('consolidation moves only preemptible jobs past their minimum run time, whole and at once, and each time one more starts', () => {
  let consolidated = 0;
  const judge = (before: Snapshot, decisions: readonly Decision[], last: Snapshot): void => {
    const made = inTurn(before, decisions);
    const moves = made.filter(({ decision }) => decision.kind === 'preempt' && decision.rule === 'consolidate');
    for (const { decision } of moves) {
      const victim = jobOf(before, decision.job);
      expect(isPreemptible(before, victim)).toBe(true);
      expect(before.now - (victim.running?.startedAt ?? before.now)).toBeGreaterThanOrEqual(
        Math.max(1, before.policy.minRunMs),
      );
      const again = made.filter((each) => each.decision.kind === 'start' && each.decision.job === decision.job);
      expect(again.map((each) => each.decision.kind === 'start' && each.decision.because)).toEqual(['moved']);
      expect(sizesOf(jobOf(last, decision.job))).toEqual(sizesOf(victim));
    }
    const started = made.filter(({ decision }) => decision.kind === 'start' && decision.because === 'consolidates');
    consolidated += started.length;
    for (const { world: given, decision } of started) {
      const mine = moves.filter((each) => each.decision.kind === 'preempt' && each.decision.for === decision.job);
      expect(mine.length).toBeGreaterThan(0);
      // Before the first of them was moved it could not start.
      expect(couldStart(mine[0]?.world ?? given, jobOf(given, decision.job))).toBe(false);
      // And it does more than they lose.
      const job = jobOf(given, decision.job);
      const { milliGpu, milliCpu } = amounts(
        given,
        job,
        job.groups.map(({ count, min }) => min ?? count),
      );
      const ms = Math.min(given.policy.consolidation?.horizonMs ?? 0, job.lifeSpanMs ?? Infinity);
      const lost = mine.reduce((sum, each) => {
        const victim = jobOf(before, each.decision.job);
        return sum + costOf(before, victim) - rankCost(victim);
      }, 0);
      expect(lost).toBeLessThan((ms / 1000) * (milliGpu / 1000 + milliCpu / 16_000));
    }
    if (moves.length > 0) expect(started.length).toBeGreaterThan(0);
    expect(violations(last)).toEqual([]);
  };
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (before, _decided, scheduler, decisions) => judge(before, decisions, snapshotOf(scheduler)));
    }),
    RUNS,
  );
  fc.assert(
    fc.property(anyScattered, (given) => {
      const scheduler = new Scheduler(given, PLACEMENTS);
      judge(given, scheduler.cycle(given.now).decisions, snapshotOf(scheduler));
    }),
    { numRuns: 300 },
  );
  expect(consolidated).toBeGreaterThan(10);
});

test('nobody is moved without whom there would be room as well', () => {
  let several = 0;
  fc.assert(
    fc.property(anyScattered, (given) => {
      const made = inTurn(given, new Scheduler(given, PLACEMENTS).cycle(given.now).decisions);
      for (const { world: then, decision } of made) {
        if (decision.kind !== 'start' || decision.because !== 'consolidates') continue;
        const moves = made.flatMap((each) =>
          each.decision.kind === 'preempt' && each.decision.for === decision.job ? [each] : [],
        );
        if (moves.length > 1) several += 1;
        const first = moves[0]?.world ?? then;
        const job = jobOf(given, decision.job);
        for (const spared of moves) {
          const moved = moves.filter((each) => each !== spared).map((each) => jobOf(given, each.decision.job));
          const cleared = without(first, new Set(moved.map(({ id }) => id)));
          const together = {
            ...job,
            id: 'together',
            groups: [...job.groups, ...moved.flatMap(({ groups }) => groups)],
          };
          expect(hasRoom(cleared, together, sizesOfAll(together))).toBe(false);
        }
      }
    }),
    { numRuns: 600 },
  );
  expect(several).toBeGreaterThan(0);
});

test('one replica that moving others could make room for has room made', () => {
  fc.assert(
    fc.property(anyScattered, (given) => {
      const scheduler = new Scheduler(given, PLACEMENTS);
      scheduler.cycle(given.now);
      const last = snapshotOf(scheduler);
      const single = last.jobs.filter(({ running, groups }) => running === undefined && groups[0]?.count === 1);
      expect(single.filter((job) => couldBeMovedFor(last, job)).map(({ id }) => id)).toEqual([]);
    }),
    { numRuns: 200 },
  );
});

test('jobs are not moved to and fro: nothing is moved again unless one more can start', () => {
  fc.assert(
    fc.property(anyScattered, (given) => {
      const scheduler = new Scheduler(given, PLACEMENTS);
      let waiting = given.jobs.filter(({ running }) => running === undefined).length + 1;
      for (let now = given.now; now < given.now + 200; now += 20) {
        const { decisions } = scheduler.cycle(now);
        const left = snapshotOf(scheduler).jobs.filter(({ running }) => running === undefined).length;
        if (decisions.length > 0) expect(left).toBeLessThan(waiting);
        waiting = left;
      }
    }),
    { numRuns: 100 },
  );
});
