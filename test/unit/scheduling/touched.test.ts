import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Job,
  type Node,
  Scheduler,
  type Snapshot,
  snapshotOf,
  type Touched,
} from '../../../runtime/scheduling/src/index.ts';
import { PLACEMENTS } from '../../../runtime/simulator/src/placements.ts';
import { world } from '../../support/scheduling/jobs.ts';
import { anyHistory, play } from '../../support/scheduling/random-history.ts';

const RUNS = { numRuns: Number(process.env.DELOS_TEST_RUNS ?? 100) };

/** Jobs and nodes that are not in one state as they are in the other, and nodes on which something else runs. */
function changes(
  before: Snapshot,
  later: Snapshot,
): { readonly jobs: readonly string[]; readonly nodes: readonly string[] } {
  const jobs = differing(before.jobs, later.jobs, ({ id }) => id);
  const use = (given: Snapshot, node: string): readonly string[] =>
    given.jobs
      .flatMap(({ id, running }) =>
        (running?.pods ?? []).filter((pod) => pod.node === node).map((pod) => JSON.stringify([id, pod])),
      )
      .sort();
  const used = later.nodes.filter(({ name }) => String(use(before, name)) !== String(use(later, name)));
  return {
    jobs,
    nodes: [...differing(before.nodes, later.nodes, ({ name }) => name), ...used.map(({ name }) => name)],
  };
}

function differing<T extends Job | Node>(
  one: readonly T[],
  other: readonly T[],
  nameOf: (each: T) => string,
): readonly string[] {
  const text = (all: readonly T[]) => new Map(all.map((each) => [nameOf(each), JSON.stringify(each)]));
  const [a, b] = [text(one), text(other)];
  return [...new Set([...a.keys(), ...b.keys()])].filter((name) => a.get(name) !== b.get(name));
}

function expectCovers(touched: Touched, before: Snapshot, later: Snapshot): void {
  const { jobs, nodes } = changes(before, later);
  expect(jobs.filter((id) => !touched.jobIds.includes(id))).toEqual([]);
  expect(nodes.filter((name) => !touched.nodeNames.includes(name))).toEqual([]);
  expect([touched.jobs, touched.nodes]).toEqual([new Set(touched.jobIds).size, new Set(touched.nodeNames).size]);
}

test('no event and no cycle changes a job or a node that it does not report as touched', () => {
  fc.assert(
    fc.property(anyHistory, (history) => {
      play(
        history,
        (before, _decided, scheduler) => expectCovers(scheduler.touched, before, snapshotOf(scheduler)),
        (before, scheduler) => expectCovers(scheduler.touched, before, snapshotOf(scheduler)),
      );
    }),
    RUNS,
  );
});

const QUEUES = ['a/x', 'a/y', 'b/z'];
const PRESETS = ['one', 'two', 'spot'];
const anyWaiting = fc.record({
  queue: fc.constantFrom(...QUEUES),
  preset: fc.constantFrom(...PRESETS),
  count: fc.constantFrom(1, 1, 2),
});

/** Full nodes of two devices, and of each kind of job so many that wait. */
function full(kinds: readonly { queue: string; preset: string; count: number }[], each: number): Snapshot {
  return world({
    now: 100,
    pools: [{ name: 'p' }],
    nodes: [0, 1, 2].map((n) => ({
      name: `n${n}`,
      pool: 'p',
      milliCpu: 8000,
      memoryMiB: 8192,
      gpu: { model: 'A100', count: 2, memoryMiB: 40_000 },
    })),
    presets: [1, 2, 1].map((count, p) => ({
      name: PRESETS[p] ?? '',
      milliCpu: 1000,
      memoryMiB: 1024,
      gpu: { kind: 'whole', count },
      preemptible: p === 2,
    })),
    scopes: [{ name: 'a' }, { name: 'b' }, ...QUEUES.map((name) => ({ name, parent: name.slice(0, 1) }))],
    jobs: [
      ...[0, 1, 2].map((n) => ({
        id: `full-${n}`,
        queue: 'b/z',
        submittedAt: 0,
        groups: [{ preset: 'two' }],
        running: { startedAt: 0, pods: [{ group: 0, node: `n${n}`, gpus: [0, 1] }] },
      })),
      ...kinds.flatMap(({ queue, preset, count }, k) =>
        Array.from({ length: each }, (_, n) => ({
          id: `waits-${k}-${n}`,
          queue,
          submittedAt: 10 + k + n * kinds.length,
          groups: [{ preset, count }],
        })),
      ),
    ],
  });
}

test('what an arrival, an end or a change of a node touches does not grow with the queue', () => {
  const event = fc.constantFrom('arrives', 'ends', 'changes', 'changes and arrives');
  fc.assert(
    fc.property(fc.array(anyWaiting, { minLength: 1, maxLength: 6 }), anyWaiting, event, (kinds, arriving, what) => {
      const touchedAt = (each: number): readonly (readonly [number, number])[] => {
        const given = full(kinds, each);
        const scheduler = new Scheduler(given, PLACEMENTS);
        scheduler.cycle(100);
        const seen: Touched[] = [];
        const [node] = given.nodes;
        if (what.startsWith('changes') && node !== undefined) {
          scheduler.putNode({ ...node, cordoned: true }, 101);
          seen.push(scheduler.touched);
        }
        if (what.endsWith('arrives')) {
          const { queue, preset, count } = arriving;
          const [job] = world({
            ...given,
            jobs: [{ id: 'arrives', queue, submittedAt: 101, groups: [{ preset, count }] }],
          }).jobs;
          if (job !== undefined) scheduler.submit(job, 101);
          seen.push(scheduler.touched);
        }
        if (what === 'ends') {
          scheduler.finish('full-0', 101);
          seen.push(scheduler.touched);
        }
        seen.push(scheduler.cycle(101).touched);
        return seen.map(({ jobs, nodes }) => [jobs, nodes]);
      };
      const few = touchedAt(3);
      expect(touchedAt(30)).toEqual(few);
      expect(few[0]?.[what.startsWith('changes') ? 1 : 0]).toBeGreaterThan(0);
    }),
    RUNS,
  );
});
