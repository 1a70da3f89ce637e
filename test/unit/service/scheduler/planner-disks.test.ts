import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PlannedDisk, PlannedJob } from '../../../../runtime/service/src/scheduler/planned.ts';
import { Planner } from '../../../../runtime/service/src/scheduler/planner.ts';
import { explainWaiting } from '../../../../runtime/service/src/scheduler/waiting.ts';
import { facts, job, later, NOW, node, running } from '../../../support/service/planner.ts';

const disk = (name: string, given: Partial<PlannedDisk> = {}): PlannedDisk => ({
  id: `disk-${name}`,
  name,
  readOnly: false,
  missing: null,
  nodes: ['a'],
  ...given,
});
const reads = (name: string, given: Partial<PlannedDisk> = {}): PlannedDisk => disk(name, { readOnly: true, ...given });
const planner = (jobs: readonly PlannedJob[] = [], nodes = ['a', 'b']): Planner =>
  new Planner(
    facts(),
    nodes.map((name) => node(name)),
    jobs,
    NOW,
  );
const admitted = (of: Planner, seconds = 0): readonly string[] =>
  of.decide(later(seconds)).admissions.map(({ id }) => id);
const why = (of: Planner, id: string): string | undefined =>
  explainWaiting(of, [id]).waiting.map(({ reason, description }) => `${reason}: ${description}`)[0];

test('a job waits for the one that has its disk, is told which, and starts when that has ended', () => {
  const first = running(job({ disks: [disk('data')] }), 'a');
  const second = job({ disks: [disk('data')] });
  const of = planner([first, second]);
  expect(admitted(of)).toEqual([]);
  expect(why(of, second.id)).toBe(
    `DiskInUse: Disk data is in use by ${first.id}, which may write to it. It is free when that has ended.`,
  );
  expect([of.queued, of.waiting]).toEqual([1, [second.id]]);
  of.setJob(first.id, undefined, later(1));
  expect(admitted(of, 1)).toEqual([second.id]);
});

test('of several jobs with one disk the oldest starts, and the others are told that it has the disk', () => {
  const jobs = [30, 20, 10].map((age) => job({ age, disks: [disk('data')] }));
  const of = planner(jobs);
  expect(admitted(of)).toEqual([jobs[0]?.id]);
  for (const { id } of jobs.slice(1)) expect(why(of, id)).toContain(`in use by ${jobs[0]?.id}`);
});

test('a disk does not keep a job waiting for one that cannot start itself', () => {
  const large = job({ age: 100, cpu: 64, disks: [disk('data')] });
  const small = job({ disks: [disk('data')] });
  expect(admitted(planner([large, small]))).toEqual([small.id]);
});

test('a job that is told to give way has its disk until its container has ended', () => {
  const old = running(job({ disks: [disk('data')], preemptible: true }), 'a', { leaving: true });
  const next = job({ disks: [disk('data')] });
  const of = planner([old, next]);
  expect(admitted(of)).toEqual([]);
  // Its container has ended: it is neither there nor in the queue.
  of.setJob(old.id, undefined, later(1));
  expect(admitted(of, 1)).toEqual([next.id]);
  of.setJob(old.id, { ...old, run: 1, active: undefined }, later(2));
  expect(admitted(of, 2)).toEqual([]);
  expect(why(of, old.id)).toContain(`in use by ${next.id}`);
});

test('jobs that only read share a disk that lies on one node; one that writes waits for all of them', () => {
  const readers = [3, 2].map((age) => job({ age, disks: [reads('data')] }));
  const writer = job({ age: 1, disks: [disk('data')] });
  const of = planner([...readers, writer]);
  expect(admitted(of)).toEqual(readers.map(({ id }) => id));
  expect(why(of, writer.id)).toBe(
    `DiskInUse: Disk data is read by ${readers[0]?.id} and 1 more, and this job may write to it. It is free when nobody reads it.`,
  );
});

test('a disk that may be mounted on several nodes is mounted by one job at a time', () => {
  const [first, second] = [2, 1].map((age) => job({ age, disks: [reads('data', { nodes: null })] }));
  const of = planner([first, second].flatMap((each) => each ?? []));
  expect(admitted(of)).toEqual([first?.id]);
  expect(why(of, second?.id ?? '')).toContain('one job at a time can mount it');
});

test('a job is placed where all its disks can be mounted, and nowhere else', () => {
  const both = job({ disks: [disk('x', { nodes: ['a', 'b'] }), disk('y', { nodes: ['b', 'c'] })] });
  const places = (of: Planner): readonly string[] => of.decide(NOW).admissions.map(({ node: name }) => name);
  expect(places(planner([both], ['a', 'b', 'c']))).toEqual(['b']);
  const nowhere = job({ disks: [disk('x', { nodes: ['a'] }), disk('y', { nodes: ['b'] })] });
  const of = planner([nowhere]);
  expect(places(of)).toEqual([]);
  expect(why(of, nowhere.id)).toMatch(/^NoCapacity: .*2 are none that it may run on/);
});

test('a job waits for a disk that is not ready, with the reason, and is placed when it is', () => {
  const waits = job({ disks: [disk('data', { missing: 'is still being made', nodes: null })] });
  const of = planner([waits]);
  expect(admitted(of)).toEqual([]);
  expect(why(of, waits.id)).toBe('DiskNotReady: Disk data is still being made.');
  of.setJob(waits.id, { ...waits, disks: [disk('data')] }, later(1));
  expect(admitted(of, 1)).toEqual([waits.id]);
});

test('jobs without disks are placed as before where others wait for one', () => {
  const holder = running(job({ disks: [disk('data')] }), 'a');
  const waits = job({ age: 10, disks: [disk('data')] });
  const plain = job();
  expect(admitted(planner([holder, waits, plain]))).toEqual([plain.id]);
});

const NAMES = ['x', 'y', 'z'];
const anyMounts = fc
  .uniqueArray(fc.record({ name: fc.constantFrom(...NAMES), readOnly: fc.boolean() }), {
    maxLength: 2,
    selector: ({ name }) => name,
  })
  .map((mounts) => mounts.map(({ name, readOnly }) => disk(name, { readOnly, nodes: name === 'z' ? null : ['a'] })));
const anyStep = fc.oneof(
  { weight: 3, arbitrary: anyMounts.map((disks) => ({ kind: 'submit' as const, disks })) },
  { weight: 2, arbitrary: fc.nat().map((index) => ({ kind: 'end' as const, index })) },
  { weight: 1, arbitrary: fc.nat().map((index) => ({ kind: 'leave' as const, index })) },
  { weight: 1, arbitrary: fc.nat().map((index) => ({ kind: 'again' as const, index })) },
);

test('whatever happens, who writes to a disk has it alone, and nobody waits for a disk that is free', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      // Room is no matter here.
      const of = new Planner(facts(), [node('a', { cpu: 1_000, memory: 2 ** 50, pods: 1_000 })], [], NOW);
      const rows = new Map<string, PlannedJob>();
      steps.forEach((step, index) => {
        const now = later(index);
        const ids = [...rows.keys()];
        const id = step.kind === 'submit' ? '' : (ids[step.index % Math.max(1, ids.length)] ?? '');
        const row = rows.get(id);
        const tell = (told: PlannedJob | undefined, key = id): void => {
          if (told === undefined) rows.delete(key);
          else rows.set(key, told);
          of.setJob(key, told, now);
        };
        if (step.kind === 'submit') {
          const made = job({ disks: step.disks, age: -index, preemptible: true });
          tell(made, made.id);
        } else if (row !== undefined && step.kind === 'end') tell(undefined);
        else if (row?.active !== undefined) {
          if (step.kind === 'leave') tell(running({ ...row }, 'a', { leaving: true }));
          else if (row.active.leaving) tell({ ...row, run: row.run + 1, active: undefined });
        }
        for (const { id: started } of of.decide(now).admissions) {
          const waiting = rows.get(started);
          if (waiting !== undefined) tell(running(waiting, 'a'), started);
        }
        const there = [...rows.values()].filter(({ active }) => active !== undefined);
        for (const name of NAMES) {
          const holders = there.flatMap(({ disks }) => disks.filter((each) => each.name === name));
          if (holders.some(({ readOnly }) => !readOnly) || name === 'z') expect(holders.length).toBeLessThanOrEqual(1);
        }
        for (const waiting of of.waiting) {
          const mounts = rows.get(waiting)?.disks ?? [];
          const taken = mounts.some(({ name }) => there.some(({ disks }) => disks.some((each) => each.name === name)));
          expect(taken, `${waiting} waits for nobody`).toBe(true);
          expect(of.holdOf(waiting)?.reason).toBe('DiskInUse');
        }
      });
    }),
  );
});
