import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  Explainer,
  type Job,
  type Reason,
  type Remedy,
  Scheduler,
  type Snapshot,
  snapshotOf,
} from '../../../runtime/src/scheduling/index.ts';
import { anyHistory, play } from '../../support/random-history.ts';
import {
  amounts,
  couldStart,
  fitsEmptyCluster,
  forbidden,
  hasRoom,
  leastOf,
  rests,
} from '../../support/scheduling-checker.ts';

const RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 60) };

const waiting = (world: Snapshot): readonly Job[] => world.jobs.filter(({ running }) => running === undefined);

/** Every waiting job after every cycle, with its reason. Worlds in which nodes are kept for one job are left out. */
function everyReason(judge: (world: Snapshot, job: Job, reason: Reason) => void): void {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(history, (_before, _decided, scheduler) => {
        const world = snapshotOf(scheduler);
        if (world.reservations.length > 0) return;
        const explainer = new Explainer(scheduler.state);
        for (const job of waiting(world)) {
          const reason = explainer.explain(job.id);
          expect(reason, job.id).toBeDefined();
          if (reason !== undefined) judge(world, job, reason);
        }
        // Asking changes nothing.
        expect(snapshotOf(scheduler)).toEqual(world);
      });
    }),
    RUNS,
  );
}

test('what a reason says of quotas and room is so', () => {
  everyReason((world, job, reason) => {
    const rules = forbidden(world, job, amounts(world, job, leastOf(job)));
    expect(reason.quota !== undefined || reason.array !== undefined).toBe(rules.length > 0);
    if (reason.quota !== undefined) {
      expect(rules).toContain(`${reason.quota.rule} ${reason.quota.scope} ${reason.quota.dimension}`);
    }
    expect(reason.nodes.length > 0 || reason.together).toBe(!hasRoom(world, job, leastOf(job)));
    expect(couldStart(world, job)).toBe(false);
  });
});

test('nodes are counted once each, by what they lack', () => {
  everyReason((world, job, reason) => {
    for (const { group, total, fitting, lacking, placeable, wanted } of reason.nodes) {
      expect(total).toBe(world.nodes.length);
      expect(fitting + Object.values(lacking).reduce((sum, n) => sum + n, 0)).toBe(total);
      expect(lacking['not-ready'] ?? 0).toBe(world.nodes.filter(({ ready }) => !ready).length);
      expect(wanted).toBe(leastOf(job)[group]);
      const alone = (n: number): readonly number[] => job.groups.map((_, g) => (g === group ? n : 0));
      const on = world.nodes.filter(({ name }) =>
        hasRoom(
          {
            ...world,
            nodes: world.nodes.filter((node) => node.name === name),
            jobs: world.jobs.filter((each) => each.running?.pods.every(({ node }) => node === name) === true),
          },
          job,
          alone(1),
        ),
      );
      const split = world.jobs.some((each) => new Set(each.running?.pods.map(({ node }) => node)).size > 1);
      if (!split) expect(on.length).toBe(fitting);
      if (placeable > 0) expect(hasRoom(world, job, alone(placeable), rests(world))).toBe(true);
      if (placeable < wanted) expect(hasRoom(world, job, alone(placeable + 1), rests(world))).toBe(false);
    }
  });
});

test('a reason says never where even the empty cluster or the whole quota is too small, and only there', () => {
  everyReason((world, job, reason) => {
    const quota = reason.quota !== undefined && reason.quota.needed > reason.quota.cap;
    const room = hasRoom(world, job, leastOf(job)) || fitsEmptyCluster(world, job);
    expect(reason.never).toBe(quota || !room);
  });
});

function applied(job: Job, remedy: Remedy): Job {
  switch (remedy.change) {
    case 'preset':
      return { ...job, groups: job.groups.map((group, g) => (g === 0 ? { ...group, preset: remedy.preset } : group)) };
    case 'pools':
      return { ...job, pools: [...remedy.pools] };
    case 'queue':
      return { ...job, queue: remedy.queue };
    case 'count':
      return {
        ...job,
        groups: job.groups.map((group, g) =>
          g === remedy.group ? { preset: group.preset, count: remedy.count } : group,
        ),
      };
  }
}

function changed(world: Snapshot, job: Job): Snapshot {
  return { ...world, jobs: world.jobs.map((each) => (each.id === job.id ? job : each)) };
}

test('each change that a reason names admits the job, and the largest smaller gang is named', () => {
  everyReason((world, job, reason) => {
    for (const remedy of reason.remedies) {
      const other = applied(job, remedy);
      expect(couldStart(changed(world, other), other), JSON.stringify(remedy)).toBe(true);
      const { decisions } = new Scheduler(changed(world, other)).cycle(world.now);
      expect(decisions.some(({ kind, job: id }) => kind === 'start' && id === job.id)).toBe(true);
      if (remedy.change !== 'count' || remedy.count + 1 >= (leastOf(job)[remedy.group] ?? 0)) continue;
      const larger = applied(job, { ...remedy, count: remedy.count + 1 });
      expect(couldStart(changed(world, larger), larger)).toBe(false);
    }
  });
});

test('nothing changed, nothing starts', () => {
  everyReason((world) => {
    const { decisions } = new Scheduler(world).cycle(world.now);
    expect(decisions).toEqual([]);
  });
});

test('at the time that is expected enough has ended, and not a moment before', () => {
  everyReason((world, job, { expected }) => {
    if (expected.at === undefined || expected.at === world.now) return;
    const without = (ended: (end: number) => boolean): Snapshot => ({
      ...world,
      // What is reserved changes with time.
      now: expected.at ?? world.now,
      jobs: world.jobs.filter(
        ({ running, lifeSpanMs }) =>
          running === undefined || lifeSpanMs === undefined || !ended(running.startedAt + lifeSpanMs),
      ),
    });
    const { at } = expected;
    expect(
      couldStart(
        without((end) => end <= at),
        job,
      ),
    ).toBe(true);
    const changes = world.bookings !== undefined || world.nodes.some(({ drainAt }) => drainAt !== undefined);
    if (changes || world.policy.energyWindows.length > 0) return;
    expect(
      couldStart(
        without((end) => end < at),
        job,
      ),
    ).toBe(false);
  });
});
