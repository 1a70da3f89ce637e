import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  Scheduler,
  type Snapshot,
  snapshot,
  snapshotFaults,
  snapshotOf,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import {
  amounts,
  ancestors,
  couldStart,
  isPreemptible,
  isReserved,
  sizesOf,
  usage,
  violations,
} from '../../support/scheduling/checker.ts';
import { lines } from '../../support/scheduling/jobs.ts';
import { anyHistory, play } from '../../support/scheduling/random-history.ts';
import { after, jobOf } from '../../support/scheduling/what-if.ts';

const RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 100) };

test('a scheduler that has seen every event decides as one made from the document of its state', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (before, decided, scheduler) => {
        const written = snapshot.parse(JSON.parse(JSON.stringify(before)));
        expect(snapshotFaults(written, PLACEMENTS)).toEqual([]);
        const fresh = new Scheduler(written, PLACEMENTS);
        expect(decided).toEqual(lines(fresh.cycle(before.now).decisions));
        expect(snapshotOf(scheduler)).toEqual(snapshotOf(fresh));
      });
    }),
    RUNS,
  );
});

test('no node, device, quota or array is exceeded, and no gang runs in part', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (_before, _decided, scheduler) => expect(violations(snapshotOf(scheduler))).toEqual([]));
    }),
    RUNS,
  );
});

test('nothing waits that could start, but on nodes and quotas that are kept for another', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (_before, _decided, scheduler) => {
        const world = snapshotOf(scheduler);
        const idle = world.jobs.filter((job) => job.running === undefined && couldStart(world, job));
        expect(idle.map(({ id }) => id)).toEqual([]);
      });
    }),
    RUNS,
  );
});

test('nothing is to be decided before the instant for which a cycle asks for the next', () => {
  let named = 0;
  fc.assert(
    fc.property(anyHistory, fc.nat(2000), (history, later) => {
      play(history, (before, _decided, scheduler, _decisions, next) => {
        const world = snapshotOf(scheduler);
        if (next !== undefined) named += 1;
        const now = Math.min(before.now + later, (next ?? Infinity) - 1);
        if (now > before.now)
          expect(lines(new Scheduler({ ...world, now }, PLACEMENTS).cycle(now).decisions)).toEqual([]);
      });
    }),
    { numRuns: 3 * RUNS.numRuns },
  );
  expect(named).toBeGreaterThan(100);
});

/** The same world with every list turned round. */
function turned(world: Snapshot): Snapshot {
  const { pools, nodes, presets, scopes, volumes, jobs, reservations, bookings, deviceClasses } = world;
  return {
    ...world,
    pools: pools.toReversed(),
    nodes: nodes.toReversed(),
    presets: presets.toReversed(),
    scopes: scopes.toReversed(),
    volumes: volumes.toReversed(),
    reservations: reservations.toReversed(),
    jobs: jobs.toReversed().map((job) => ({
      ...job,
      pools: job.pools.toReversed(),
      volumes: job.volumes.toReversed(),
      ...(job.running === undefined ? {} : { running: { ...job.running, pods: job.running.pods.toReversed() } }),
    })),
    ...(bookings === undefined ? {} : { bookings: bookings.toReversed() }),
    ...(deviceClasses === undefined ? {} : { deviceClasses: deviceClasses.toReversed() }),
  };
}

test('a decision does not depend on the order of any list, whatever runs', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (before) => {
        const [one, other] = [new Scheduler(before, PLACEMENTS), new Scheduler(turned(before), PLACEMENTS)];
        expect(lines(other.cycle(before.now).decisions)).toEqual(lines(one.cycle(before.now).decisions));
      });
    }),
    RUNS,
  );
});

test('who is preempted may be: preemptible, past its minimum run time, of lower priority in the project or on loan', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      const { minRunMs } = history.world.policy;
      play(history, (before, decided, scheduler) => {
        const later = snapshotOf(scheduler);
        const rank = { low: 0, normal: 1, high: 2 };
        for (const victim of before.jobs) {
          if (victim.running === undefined) continue;
          const now = later.jobs.find(({ id }) => id === victim.id);
          if (now === undefined || now.running?.startedAt === victim.running.startedAt) continue;
          expect(isPreemptible(before, victim)).toBe(true);
          // Where a reservation or a drain begins, the nodes are left at once.
          if (decided.some((text) => text.startsWith(`preempt ${victim.id} for nobody (`))) continue;
          expect(before.now - victim.running.startedAt).toBeGreaterThanOrEqual(Math.max(1, minRunMs));
          const project = (queue: string): string =>
            ancestors(before, queue).find(({ kind }) => kind !== 'user')?.name ?? '';
          const urgent = later.jobs.some(
            (job) =>
              job.running?.startedAt === later.now &&
              rank[job.priority] > rank[victim.priority] &&
              project(job.queue) === project(victim.queue),
          );
          const moved = decided.some((text) =>
            new RegExp(`^preempt ${victim.id} for \\S+ \\(consolidate\\)`).test(text),
          );
          if (urgent || moved) continue;
          // By reclaim, then: what its scope still runs leaves no room within the guarantee for it. A guarantee that
          // it shares with the claimant is no shelter: the claimant's own, further down, comes first.
          const line = decided.map((text) => new RegExp(`^preempt ${victim.id} for (\\S+) `).exec(text)).find(Boolean);
          const claimant = later.jobs.find(({ id }) => id === line?.[1]);
          const shared = new Set(
            claimant === undefined ? [] : ancestors(before, claimant.queue).map(({ name }) => name),
          );
          const guaranteed = ancestors(before, victim.queue).filter(
            ({ name, guarantee }) => guarantee.milliGpu !== undefined && !shared.has(name),
          );
          const own = amounts(before, victim, sizesOf(victim)).milliGpu;
          const broken = guaranteed.every(
            ({ name, guarantee }) => usage(later, name).milliGpu + own <= (guarantee.milliGpu ?? 0),
          );
          expect(guaranteed.length > 0 && own > 0 && broken).toBe(false);
        }
      });
    }),
    RUNS,
  );
});

test('decisions, applied one by one to plain data, give the state that the scheduler has', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (before, _decided, scheduler, decisions) => {
        const places = (given: Snapshot): unknown =>
          given.jobs
            .map(({ id, running }) => [
              id,
              running?.startedAt,
              (running?.pods ?? []).map((pod) => JSON.stringify(pod)).sort(),
            ])
            .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
        expect(places(decisions.reduce(after, before))).toEqual(places(snapshotOf(scheduler)));
      });
    }),
    RUNS,
  );
});

test('nobody starts or grows on nodes that are reserved for others, unless it ends before', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (before, _decided, _scheduler, decisions) => {
        for (const decision of decisions) {
          const places = decision.kind === 'start' ? decision.pods : decision.kind === 'resize' ? decision.added : [];
          for (const { node } of places) {
            const spec = before.nodes.find(({ name }) => name === node);
            expect(spec !== undefined && isReserved(before, jobOf(before, decision.job), spec)).toBe(false);
          }
        }
      });
    }),
    RUNS,
  );
});
