import { expect, test } from 'vitest';
import {
  Explainer,
  type Job,
  type Reason,
  type Remedy,
  Scheduler,
  type Snapshot,
  snapshotOf,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { ancestors, couldStart, isAlike, leastOf } from '../../support/scheduling/checker.ts';
import { everyReason, REASON_RUNS } from '../../support/scheduling/every-reason.ts';
import { decided } from '../../support/scheduling/jobs.ts';
import { anyHistory, reshaped } from '../../support/scheduling/random-history.ts';

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

/** Gangs, for which much is kept while they wait. */
const keeping = reshaped(({ within: _, ...job }) => ({
  ...job,
  pools: [],
  volumes: [],
  groups: job.groups.slice(0, 1).map(({ preset }) => ({
    preset: preset.startsWith('gpu') ? 'gpu' : 'cpu',
    count: 2 + (job.submittedAt % 2),
  })),
})).map(({ world, steps }) => ({ world: { ...world, policy: { ...world.policy, reserveAfterMs: 1 } }, steps }));

test.each([
  { world: 'as it comes', histories: anyHistory },
  { world: 'in which much is kept', histories: keeping },
])(
  'each change that a reason names admits the job, and the largest smaller gang is named: a world $world',
  ({ histories }) => {
    everyReason((world, job, reason) => {
      for (const remedy of reason.remedies) {
        const other = applied(job, remedy);
        expect(couldStart(changed(world, other), other), JSON.stringify(remedy)).toBe(true);
        const { decisions } = new Scheduler(changed(world, other), PLACEMENTS).cycle(world.now);
        expect(decisions.some(({ kind, job: id }) => kind === 'start' && id === job.id)).toBe(true);
        if (remedy.change !== 'count' || remedy.count + 1 >= (leastOf(job)[remedy.group] ?? 0)) continue;
        const larger = applied(job, { ...remedy, count: remedy.count + 1 });
        expect(couldStart(changed(world, larger), larger)).toBe(false);
      }
    }, histories);
  },
);

/** Of each kind so many changes are named. */
const MOST = 3;

test('every change that would admit the job is named, up to three of a kind', () => {
  const named = { preset: 0, pools: 0, queue: 0, count: 0 };
  let ofHolders = 0;
  const judge = (world: Snapshot, job: Job, { remedies, array }: Reason): void => {
    if (array !== undefined) return;
    for (const { change } of remedies) named[change] += 1;
    if (world.reservations.some(({ job: holder }) => holder === job.id)) ofHolders += remedies.length;
    const admits = (remedy: Remedy): boolean => {
      const other = applied(job, remedy);
      // What is kept for a job is not for one that would then ask for the same: it goes after that.
      const holders = world.reservations.flatMap(({ job: id }) => world.jobs.filter((each) => each.id === id));
      return !holders.some((holder) => isAlike(holder, other)) && couldStart(changed(world, other), other);
    };
    const all: readonly Remedy[] = [...presetsFor(world, job), ...poolsFor(world, job), ...queuesFor(world, job)];
    for (const change of ['preset', 'pools', 'queue'] as const) {
      const such = all.filter((each) => each.change === change && admits(each));
      expect(remedies.filter((each) => each.change === change)).toEqual(such.slice(0, MOST));
    }
    const sizes = job.groups.map(({ count }) => count);
    const group = sizes.indexOf(Math.max(...sizes));
    const counts = Array.from({ length: (leastOf(job)[group] ?? 1) - 1 }, (_, n) => n + 1);
    const some = counts.some((count) => admits({ change: 'count', group, count }));
    expect(remedies.some(({ change }) => change === 'count')).toBe(some);
  };
  everyReason(judge, anyHistory, { numRuns: 4 * REASON_RUNS.numRuns });
  expect(Math.min(...Object.values(named))).toBeGreaterThan(0);
  // Jobs that have something kept can be helped.
  everyReason(judge, keeping, { numRuns: 4 * REASON_RUNS.numRuns });
  expect(ofHolders).toBeGreaterThan(0);
});

/** Presets that serve the same purpose. */
function presetsFor(world: Snapshot, job: Job): readonly Remedy[] {
  const [own] = job.groups;
  if (own === undefined || job.groups.length > 1) return [];
  const asksGpu = (name: string): boolean => world.presets.find((each) => each.name === name)?.gpu !== undefined;
  return world.presets
    .filter(({ name }) => name !== own.preset && asksGpu(name) === asksGpu(own.preset))
    .map(({ name }): Remedy => ({ change: 'preset', preset: name }));
}

function poolsFor(world: Snapshot, job: Job): readonly Remedy[] {
  if (job.pools.length === 0) return [];
  const others = world.pools.filter(({ name }) => !job.pools.includes(name));
  return others.map(({ name }): Remedy => ({ change: 'pools', pools: [name] }));
}

/** Leaves of the same organization: for a user those of the same name, in other projects. */
function queuesFor(world: Snapshot, job: Job): readonly Remedy[] {
  const own = world.scopes.find(({ name }) => name === job.queue);
  return world.scopes
    .filter(({ name, kind }) => name !== job.queue && kind === own?.kind)
    .filter(({ name }) => !world.scopes.some(({ parent }) => parent === name))
    .filter(({ name }) => ancestors(world, name).at(-1) === ancestors(world, job.queue).at(-1))
    .filter(({ name, kind }) => kind !== 'user' || name.split('/').at(-1) === job.queue.split('/').at(-1))
    .map(({ name }): Remedy => ({ change: 'queue', queue: name }));
}

test.each([
  { kept: 'nodes', nodes: ['n'], quota: {} },
  { kept: 'quota', nodes: [], scope: 'q', quota: { milliGpu: 2000 } },
])(
  'who has $kept kept is told the change that would do with that, and nobody else is',
  ({ kept: _, quota, ...kept }) => {
    const big = { queue: 'q', submittedAt: 0, groups: [{ preset: 'two' }] };
    const { scheduler } = decided({
      now: 100,
      policy: { reserveAfterMs: 10 },
      pools: [{ name: 'p' }],
      nodes: [{ name: 'n', pool: 'p', milliCpu: 0, memoryMiB: 0, gpu: { model: 'A', count: 2, memoryMiB: 1 } }],
      presets: [
        { name: 'one', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: 1 } },
        { name: 'two', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: 2 } },
      ],
      scopes: [{ name: 'q', quota }],
      jobs: [
        {
          id: 'runs',
          queue: 'q',
          submittedAt: 0,
          groups: [{ preset: 'one' }],
          running: { startedAt: 0, pods: [{ group: 0, node: 'n', gpus: [0] }] },
        },
        { id: 'first', ...big },
        { id: 'second', ...big, submittedAt: 1 },
      ],
      reservations: [{ job: 'first', ...kept }],
    });
    const explainer = new Explainer(scheduler.state);
    const told = ['first', 'second', 'first'].map((id) => explainer.explain(id)?.remedies);
    const change = [{ change: 'preset', preset: 'one' }];
    expect(told).toEqual([change, [], change]);
    expect(snapshotOf(scheduler).reservations).toMatchObject([{ job: 'first', ...kept }]);
  },
);
