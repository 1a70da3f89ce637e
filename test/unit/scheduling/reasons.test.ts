import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Job, type Reason, Scheduler, type Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { causesOf } from '../../support/scheduling/causes.ts';
import {
  amounts,
  couldStart,
  fitsEmptyCluster,
  forbidden,
  hasRoom,
  isAlike,
  isPreemptible,
  leastOf,
  rests,
  running,
  sizesOf,
  usage,
} from '../../support/scheduling/checker.ts';
import { everyReason, REASON_RUNS, waiting } from '../../support/scheduling/every-reason.ts';
import { world as worldOf } from '../../support/scheduling/jobs.ts';
import { anyHistory, reshaped } from '../../support/scheduling/random-history.ts';
import { QUEUES } from '../../support/scheduling/random-world.ts';
import { without } from '../../support/scheduling/what-if.ts';

/** All ask for parts of devices, some by time slices, some by MPS, and no quota stops them. */
const anySharing = reshaped(
  ({ array: _, within: _within, ...job }) => ({
    ...job,
    pools: [],
    volumes: [],
    groups: [{ preset: job.submittedAt % 2 === 0 ? 'gpu-part' : 'gpu-mps', count: 1 }],
  }),
  { scopes: worldOf({ scopes: ['a', ...QUEUES].map((name) => ({ name })) }).scopes },
);

/** Small jobs and large ones that one quota stops until it is kept for who has waited long. */
const anyScarce = reshaped(
  ({ array: _, within: _within, ...job }) => ({
    ...job,
    pools: [],
    volumes: [],
    queue: 'c',
    priority: 'normal',
    groups: [{ preset: job.submittedAt % 3 === 0 ? 'cpu-large' : 'cpu', count: 1 }],
  }),
  {
    policy: worldOf({ policy: { reserveAfterMs: 10 } }).policy,
    scopes: worldOf({ scopes: [{ name: 'a' }, { name: 'a/x/u' }, { name: 'c', quota: { milliCpu: 3000 } }] }).scopes,
  },
);

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

const CODES = { quota: 'QuotaExhausted', array: 'ArrayLimit', energy: 'EnergyWindow', room: 'NoCapacity' } as const;

test('the amounts that a reason tells are those of the jobs that run, and its code says what kind it is', () => {
  let behind = 0;
  const judge = (world: Snapshot, job: Job, { quota, array, code, ahead, queue }: Reason): void => {
    expect(queue).toBe(job.queue);
    const kind =
      quota === undefined ? (array === undefined ? 'room' : 'array') : quota.rule === 'energy' ? 'energy' : 'quota';
    expect(code).toBe(CODES[kind]);
    const older = (each: Job): boolean =>
      each.submittedAt < job.submittedAt || (each.submittedAt === job.submittedAt && each.id < job.id);
    behind += Math.sign(ahead);
    expect(ahead).toBe(waiting(world).filter((each) => each !== job && isAlike(each, job) && older(each)).length);
    if (array !== undefined) {
      const runs = world.jobs.filter((each) => each.running !== undefined && each.array?.name === job.array?.name);
      expect(array).toEqual({ name: job.array?.name, cap: job.array?.maxRunning, running: runs.length });
    }
    if (quota === undefined) return;
    const { rule, dimension: d, used, cap, needed } = quota;
    expect(needed).toBe(amounts(world, job, leastOf(job))[d]);
    const scope = world.scopes.find(({ name }) => name === quota.scope);
    expect(quota.kind).toBe(scope?.kind);
    const firm = running(world).filter((each) => !isPreemptible(world, each));
    if (rule === 'quota' || rule === 'limit') {
      expect([used, cap]).toEqual([usage(world, quota.scope)[d], scope?.[rule][d]]);
    }
    if (rule === 'guarantee') expect([used, cap]).toEqual([usage(world, quota.scope, firm)[d], scope?.guarantee[d]]);
    if (rule === 'energy') {
      expect(used).toBe(running(world).reduce((sum, each) => sum + amounts(world, each, sizesOf(each))[d], 0));
    }
  };
  everyReason(judge, fc.oneof(anyHistory, anyScarce));
  expect(behind).toBeGreaterThan(10);
});

test('what a node is counted by is true of it, and nothing else keeps the others away', () => {
  const causes = new Set<string>();
  const rules = new Set<string>();
  everyReason(
    (world, job, { quota, nodes }) => {
      if (quota !== undefined) rules.add(quota.rule);
      for (const { group, lacking, bookings = [] } of nodes) {
        const each = [...rests(world).values()].map((rest) => causesOf(world, job, group, rest));
        expect(each.filter((all) => all.length > 0)).toHaveLength(
          Object.values(lacking).reduce((sum, n) => sum + n, 0),
        );
        for (const [cause, n] of Object.entries(lacking)) {
          causes.add(cause);
          const so = each.filter((all) => all.some((one) => one === cause));
          expect(so.length, cause).toBeGreaterThanOrEqual(n);
          expect(so.filter(({ length }) => length === 1).length, cause).toBeLessThanOrEqual(n);
        }
        expect(bookings.length > 0).toBe((lacking.booked ?? 0) > 0);
        for (const { name, scope, from, until } of bookings) {
          expect(world.bookings).toContainEqual(expect.objectContaining({ name, scope, from, until }));
        }
      }
    },
    fc.oneof(
      { weight: 3, arbitrary: anyHistory },
      { weight: 1, arbitrary: anySharing },
      { weight: 1, arbitrary: anyScarce },
    ),
    { numRuns: 6 * REASON_RUNS.numRuns },
  );
  expect([...causes].sort()).toEqual([
    'booked',
    'cordoned',
    'cpu',
    'drained',
    'ephemeral',
    'gpu',
    'gpu-model',
    'gpu-sharing',
    'memory',
    'not-ready',
    'pods',
    'pool',
    'reserved',
    'selector',
    'taint',
    'zone',
  ]);
  expect([...rules].sort()).toEqual(['energy', 'guarantee', 'kept', 'limit', 'quota', 'remainder']);
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
            // Who waits is there still: something may be kept for it.
            jobs: world.jobs.filter((each) => each.running?.pods.every(({ node }) => node === name) !== false),
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

test('a reason says never where the job could not start even though nothing ran, and only there', () => {
  const seen = { never: 0, window: 0, above: 0 };
  const judge = (world: Snapshot, job: Job, { never, expected, quota }: Reason): void => {
    const idle = { ...without(world, new Set(running(world).map(({ id }) => id))), reservations: [] };
    // An energy window ends, and so do the jobs of an array.
    const calm = { ...idle, policy: { ...idle.policy, energyWindows: [] } };
    const wants = amounts(world, job, leastOf(job));
    const rules = forbidden(calm, job, wants);
    const room = hasRoom(world, job, leastOf(job)) || fitsEmptyCluster(world, job);
    expect(never).toBe(rules.length > 0 || !room);
    if (never) expect(expected.at).toBeUndefined();
    if (never) seen.never += 1;
    // More than the window allows at all, and more than one quota has while another would have enough some time.
    if (!never && quota?.rule === 'energy' && quota.needed > quota.cap) seen.window += 1;
    if (rules.length > 0 && forbidden(world, job, wants)[0] !== rules[0]) seen.above += 1;
  };
  everyReason(judge, anyHistory, { numRuns: 4 * REASON_RUNS.numRuns });
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
});

test('nothing changed, nothing starts', () => {
  everyReason((world) => {
    const { decisions } = new Scheduler(world, PLACEMENTS).cycle(world.now);
    expect(decisions).toEqual([]);
  });
});

test('at the time that is expected enough has ended, and not a moment before', () => {
  everyReason((world, job, { expected }) => {
    // What is kept for others is theirs then.
    if (world.reservations.length > 0) return;
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
