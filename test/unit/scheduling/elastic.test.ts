import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Job, Scheduler, snapshotOf } from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { amounts, couldStart, forbidden, hasRoom, sizesOf, violations } from '../../support/scheduling/checker.ts';
import { decided, gpuNodes, lines, world } from '../../support/scheduling/jobs.ts';
import { anyHistory, play, reshaped } from '../../support/scheduling/random-history.ts';
import { couldStartShrunk, jobOf } from '../../support/scheduling/what-if.ts';

const RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 100) };
const SINGLE = { kind: 'whole', count: 1 } as const;

/** Full nodes with gangs on them that can do with less, single jobs among them, and somebody who waits. */
const anyFullOfGangs = fc
  .record({
    nodes: fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 1, maxLength: 3 }),
    gangs: fc.array(
      fc.record({
        size: fc.integer({ min: 1, max: 3 }),
        spare: fc.nat(2),
        low: fc.boolean(),
        other: fc.boolean(),
        grew: fc.constantFrom(undefined, 100, 1000),
      }),
      { minLength: 6, maxLength: 6 },
    ),
    gpus: fc.integer({ min: 1, max: 2 }),
    guarantee: fc.constantFrom(undefined, 2000, 3000),
    urgency: fc.constantFrom('low' as const, 'normal' as const, 'high' as const),
  })
  .map(({ nodes, gangs, gpus, guarantee, urgency }) => {
    const devices = nodes.flatMap((count, node) =>
      Array.from({ length: count }, (_, device) => ({ group: 0, node: `n${node}`, gpus: [device] })),
    );
    const running = gangs.flatMap(({ size, spare, low, other, grew }, n) => {
      const pods = devices.splice(0, size);
      if (pods.length === 0) return [];
      return [
        {
          id: `g${n}`,
          queue: other ? 'q' : 'o/p',
          priority: low ? ('low' as const) : ('normal' as const),
          submittedAt: 0,
          groups: [{ preset: 'spot', count: pods.length, min: Math.max(1, pods.length - spare) }],
          running: { startedAt: 10 * n, pods, ...(grew === undefined ? {} : { grewAt: grew }) },
        },
      ];
    });
    return world({
      now: 1000,
      policy: { resizing: true },
      pools: [{ name: 'p' }],
      nodes: gpuNodes(nodes),
      presets: [
        { name: 'spot', milliCpu: 0, memoryMiB: 0, preemptible: true, gpu: SINGLE },
        { name: 'wants', milliCpu: 0, memoryMiB: 0, preemptible: true, gpu: { kind: 'whole', count: gpus } },
      ],
      scopes: [
        { name: 'o', kind: 'organization' },
        { name: 'o/p', parent: 'o', guarantee: { milliGpu: 2000 } },
        { name: 'q', kind: 'organization', ...(guarantee === undefined ? {} : { guarantee: { milliGpu: guarantee } }) },
      ],
      jobs: [
        ...running,
        { id: 'wants', queue: 'o/p', priority: urgency, submittedAt: 990, groups: [{ preset: 'wants' }] },
      ],
    });
  });

test('elastic gangs give what is above their minimum before anybody is preempted, and only then is somebody', () => {
  const met = { shrunk: 0, preempted: 0, waits: 0 };
  fc.assert(
    fc.property(anyFullOfGangs, (given) => {
      const wants = jobOf(given, 'wants');
      const scheduler = new Scheduler(given, PLACEMENTS);
      const { decisions } = scheduler.cycle(given.now);
      const could = couldStart(given, wants) || couldStartShrunk(given, wants);
      const how = decisions.flatMap((each) => (each.kind === 'start' && each.job === 'wants' ? [each.because] : []))[0];
      expect(how === 'shrinks' || how === 'fits').toBe(could);
      if (could) expect(decisions.filter(({ kind }) => kind === 'preempt')).toEqual([]);
      met[could ? 'shrunk' : how === 'preempts' ? 'preempted' : 'waits'] += 1;
      expect(violations(snapshotOf(scheduler))).toEqual([]);
      // Who grew a moment ago gives at the next.
      const later = { ...given, now: given.now + 1 };
      const next = scheduler.cycle(later.now).decisions;
      if (how === undefined && couldStartShrunk(later, wants)) {
        expect(next.some((each) => each.kind === 'start' && each.job === 'wants')).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
  expect(Math.min(...Object.values(met))).toBeGreaterThan(5);
});

/** Gangs that can do with one replica come and go. */
const anyElastic = reshaped(({ array: _, within: _within, ...job }) => ({
  ...job,
  pools: [],
  volumes: [],
  groups: [{ preset: 'spot', count: 3, min: 1 }],
}));

test('a running elastic gang that could grow does, once nobody else can use the room', () => {
  let grown = 0;
  fc.assert(
    fc.property(fc.oneof(anyHistory, anyElastic), ({ world: first, steps }) => {
      const resizing = { ...first, policy: { ...first.policy, resizing: true } };
      play({ world: resizing, steps }, (_before, _decided, scheduler, decisions) => {
        grown += decisions.filter((each) => each.kind === 'resize' && each.added.length > 0).length;
        const last = snapshotOf(scheduler);
        for (const gang of last.jobs) {
          if (gang.running === undefined || gang.running.grewAt === last.now || gang.groups.length > 1) continue;
          const size = sizesOf(gang)[0] ?? 0;
          const [group] = gang.groups;
          if (group === undefined || group.min === undefined || size >= group.count || gang.within !== undefined)
            continue;
          // One more replica, asked for as if it were a job of its own that counts as none.
          const { array: _, ...rest } = gang;
          const more: Job = { ...rest, id: 'more', running: undefined, groups: [{ preset: group.preset, count: 1 }] };
          const wants = { ...amounts(last, more, [1]), jobs: 0 };
          const cluster = (name: string): string | undefined => last.pools.find((pool) => pool.name === name)?.cluster;
          expect(new Set(last.nodes.map(({ pool }) => cluster(pool))).size).toBeLessThanOrEqual(1);
          const isKept = last.reservations.length > 0;
          if (!isKept) expect(forbidden(last, more, wants).length === 0 && hasRoom(last, more, [1])).toBe(false);
        }
      });
    }),
    { numRuns: 5 * RUNS.numRuns },
  );
  expect(grown).toBeGreaterThan(10);
});

test('who sleeps is asked again when what was freed is enough only with what a gang can give', () => {
  const running = (id: string, count: number, min: number, gpus: readonly number[]) => ({
    id,
    queue: 'o',
    submittedAt: 0,
    groups: [{ preset: 'one', count, min }],
    running: { startedAt: 0, pods: gpus.map((gpu) => ({ group: 0, node: 'n', gpus: [gpu] })) },
  });
  const scheduler = new Scheduler(
    world({
      now: 10,
      policy: { resizing: true },
      pools: [{ name: 'p' }],
      nodes: [{ name: 'n', pool: 'p', milliCpu: 1, memoryMiB: 1, gpu: { model: 'A100', count: 4, memoryMiB: 1 } }],
      presets: [
        { name: 'one', milliCpu: 0, memoryMiB: 0, gpu: SINGLE },
        { name: 'three', milliCpu: 0, memoryMiB: 0, gpu: { kind: 'whole', count: 3 } },
      ],
      scopes: [{ name: 'o' }],
      jobs: [
        running('gang', 2, 1, [0, 1]),
        running('x', 1, 1, [2]),
        running('y', 1, 1, [3]),
        { id: 'waits', queue: 'o', submittedAt: 5, groups: [{ preset: 'three' }] },
      ],
    }),
    PLACEMENTS,
  );
  expect(lines(scheduler.cycle(10).decisions)).toEqual([]);
  scheduler.finish('x', 20);
  expect(lines(scheduler.cycle(20).decisions)).toEqual([]);
  scheduler.finish('y', 30);
  expect(lines(scheduler.cycle(30).decisions)).toEqual([
    'resize gang -n for waits',
    'start waits on n[1,2,3] (shrinks)',
  ]);
});

const spot = { name: 'spot', milliCpu: 1000, memoryMiB: 0, preemptible: true };
const core = (name: string, cores: number, facts: object = {}) => ({
  name,
  pool: 'p',
  milliCpu: 1000 * cores,
  memoryMiB: 0,
  ...facts,
});
const gang = (id: string, startedAt: number, nodes: readonly string[], facts: object = {}) => ({
  id,
  queue: 'o',
  submittedAt: 0,
  groups: [{ preset: 'spot', count: 2, min: 1 }],
  running: { startedAt, pods: nodes.map((node) => ({ group: 0, node })) },
  ...facts,
});

test.each([
  ['the one of lower priority, though it started first', { priority: 'low' as const }, 'first'],
  ['the one that started last', {}, 'last'],
])('of two gangs %s gives a replica', (_, facts, gives) => {
  const { lines: decisions } = decided({
    now: 100,
    policy: { resizing: true },
    pools: [{ name: 'p' }],
    nodes: [core('n', 4)],
    presets: [spot],
    scopes: [{ name: 'o' }],
    jobs: [
      gang('first', 10, ['n', 'n'], facts),
      gang('last', 20, ['n', 'n']),
      { id: 'waits', queue: 'o', submittedAt: 50, groups: [{ preset: 'spot' }] },
    ],
  });
  expect(decisions).toEqual([`resize ${gives} -n for waits`, 'start waits on n (shrinks)']);
});

test('a gang grows where it is near, though a node far away would be left fuller', () => {
  const place = { zone: 'z', rack: 'r' };
  const grown = (policy: object): readonly string[] =>
    decided({
      now: 100,
      policy: { resizing: true, ...policy },
      pools: [{ name: 'p' }],
      nodes: [core('full', 1, place), core('near', 3, place), core('tight', 1, { zone: 'z', rack: 'other' })],
      presets: [spot],
      scopes: [{ name: 'o' }],
      jobs: [gang('gang', 10, ['full'])],
    }).lines;
  expect(grown({})).toEqual(['resize gang +near']);
  expect(grown({ topology: 'ignore' })).toEqual(['resize gang +tight']);
});
