import type { Quota, Share } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Facts, PlannedJob } from '../../../../runtime/service/src/scheduler/planned.ts';
import { Planner } from '../../../../runtime/service/src/scheduler/planner.ts';
import { explainWaiting } from '../../../../runtime/service/src/scheduler/waiting.ts';
import { runSeed } from '../../../support/random.ts';
import { facts, GIB, job, later, NVIDIA, node, running } from '../../../support/service/planner.ts';

/*
 * A small cluster whose rows are kept by the test, as the database keeps them: decisions are written to rows, Pods leave
 * when they like, and at any instant the planner may be made anew of what rows say.
 */

const MIN_RUN_SECONDS = 3;
const REPORTS = [
  node('a', { cpu: 4, memory: 8 * GIB, extended: { [NVIDIA]: 2 } }),
  node('b', { cpu: 3, memory: 4 * GIB, pods: 3 }),
];

const anyJob = fc.record({
  cpu: fc.constantFrom(0.5, 1, 2, 3),
  gib: fc.constantFrom(0.5, 1, 4),
  gpu: fc.constantFrom(0, 0, 0, 1, 2),
  priority: fc.constantFrom(-1, 0, 1),
  project: fc.constantFrom('one', 'two'),
  owner: fc.constantFrom('alice', 'bob'),
  preemptible: fc.boolean(),
});
const anyAmounts: fc.Arbitrary<Quota> = fc
  .record(
    { runningJobs: fc.nat(4), cpu: fc.integer({ min: 1, max: 6 }), gpu: fc.integer({ min: 1, max: 2 }) },
    { requiredKeys: [] },
  )
  .map((amounts) => ({ ...amounts }) as Quota);
const anyShare: fc.Arbitrary<Partial<Share>> = fc.record({
  guarantee: fc.oneof(fc.constant({}), anyAmounts),
  limit: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: anyAmounts }),
});
const anyFacts: fc.Arbitrary<Facts> = fc
  .record({ acme: anyAmounts, one: anyShare, two: anyShare, alice: anyShare })
  .map(({ acme, one, two, alice }) => ({
    ...facts({ acme }, [], { 'acme/one': one, 'acme/two': two, 'acme/one/alice': alice }),
    minRunSeconds: MIN_RUN_SECONDS,
  }));
/** With quotas of people over both projects. */
const anyLimited: fc.Arbitrary<Facts> = fc
  .record({ config: anyFacts, alice: anyAmounts, bob: anyAmounts })
  .map(({ config, alice, bob }) => ({ ...config, people: facts({ '@alice': alice, '@bob': bob }).people }));
const anyStep = fc.oneof(
  { weight: 5, arbitrary: anyJob.map((given) => ({ kind: 'submit' as const, given })) },
  { weight: 2, arbitrary: fc.nat().map((index) => ({ kind: 'end' as const, index })) },
  { weight: 4, arbitrary: fc.nat().map((index) => ({ kind: 'gone' as const, index })) },
  { weight: 1, arbitrary: fc.nat().map((index) => ({ kind: 'kill' as const, index })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'crash' as const }) },
);

/** A row: the job, and whether it comes back when it has left. */
interface Row {
  readonly job: PlannedJob;
  readonly back: boolean;
}

const total = (jobs: readonly PlannedJob[]) => ({
  jobs: jobs.length,
  cpu: jobs.reduce((sum, { resources }) => sum + resources.cpu, 0),
  memory: jobs.reduce((sum, { resources }) => sum + resources.memory, 0),
  gpu: jobs.reduce((sum, { resources }) => sum + (resources.extended[NVIDIA] ?? 0), 0),
});

class Cluster {
  readonly rows = new Map<string, Row>();
  readonly #config: Facts;
  #planner: Planner;
  now = later(0);
  victims = 0;

  constructor(config: Facts) {
    this.#config = config;
    this.#planner = new Planner(config, REPORTS, [], this.now);
  }

  crash(): void {
    this.#planner = new Planner(
      this.#config,
      REPORTS,
      [...this.rows.values()].map(({ job: row }) => row),
      this.now,
    );
  }

  write(row: PlannedJob, back = false): void {
    this.rows.set(row.id, { job: row, back });
    this.#planner.setJob(row.id, row, this.now);
  }

  drop(id: string): void {
    this.rows.delete(id);
    this.#planner.setJob(id, undefined, this.now);
  }

  /** Jobs by where they are. */
  which(where: 'queue' | 'node' | 'leaving'): readonly PlannedJob[] {
    return [...this.rows.values()].flatMap(({ job: row }) => {
      const is = row.active === undefined ? 'queue' : row.active.leaving ? 'leaving' : 'node';
      return is === where ? [row] : [];
    });
  }

  leave(row: PlannedJob, back: boolean): void {
    this.write({ ...row, active: row.active && { ...row.active, leaving: true } }, back);
  }

  gone({ id }: PlannedJob): void {
    const row = this.rows.get(id);
    if (row?.back === true) this.write({ ...row.job, run: row.job.run + 1, active: undefined });
    else this.drop(id);
  }

  decide(): void {
    const { preemptions, admissions } = this.#planner.decide(this.now);
    for (const { id, run } of preemptions) {
      const row = this.rows.get(id)?.job;
      expect(row).toMatchObject({ preemptible: true, run, active: { leaving: false } });
      expect(this.now.getTime() - (row?.active?.since.getTime() ?? 0)).toBeGreaterThanOrEqual(MIN_RUN_SECONDS * 1000);
      this.victims += 1;
      this.leave(row as PlannedJob, true);
    }
    for (const { id, node: on, pool } of admissions) {
      const row = this.rows.get(id)?.job as PlannedJob;
      expect(row.active).toBeUndefined();
      this.write(running(row, on, { pool, since: this.now }));
    }
    this.check();
  }

  /** Nothing is on a node, or under a quota, beyond what there is: those that leave are still there. */
  check(): void {
    const there = [...this.which('node'), ...this.which('leaving')];
    for (const { name, cpu, memory, extended, pods } of REPORTS) {
      const used = total(there.filter(({ active }) => active?.node === name));
      expect(used.cpu).toBeLessThanOrEqual(cpu);
      expect(used.memory).toBeLessThanOrEqual(memory);
      expect(used.gpu).toBeLessThanOrEqual(extended[NVIDIA] ?? 0);
      expect(used.jobs).toBeLessThanOrEqual(pods);
    }
    const { organizations, projects, members, people } = this.#config;
    const scopes = [
      ...people.map(({ user, quota }) => ({ caps: [quota], of: there.filter(({ owner }) => owner === user) })),
      ...organizations.map(({ quota, share }) => ({ caps: [quota, share.limit], of: there })),
      ...projects.map(({ name, quota, share }) => ({
        caps: [quota, share.limit],
        of: there.filter(({ project }) => project === name),
      })),
      ...members.map(({ project: name, user, share }) => ({
        caps: [share.limit],
        of: there.filter(({ project, owner }) => project === name && owner === user),
      })),
    ];
    for (const { caps, of } of scopes) {
      const used = total(of);
      for (const cap of caps) {
        expect(used.jobs).toBeLessThanOrEqual(cap.runningJobs ?? Infinity);
        expect(used.cpu).toBeLessThanOrEqual(cap.cpu ?? Infinity);
        expect(used.gpu).toBeLessThanOrEqual(cap.gpu ?? Infinity);
      }
    }
  }

  get told(): readonly string[] {
    return explainWaiting(this.#planner, this.#planner.waiting).waiting.map(({ id }) => id);
  }
}

test('only preemptible jobs are preempted, after their least time; nothing holds more than there is; all come back or end', () => {
  expect(victimsUnder(anyFacts, 120)).toBeGreaterThan(50);
});

test('the same, where people have quotas over all projects', () => {
  victimsUnder(anyLimited, 60);
});

/** @returns how many jobs were preempted */
function victimsUnder(configs: fc.Arbitrary<Facts>, numRuns: number): number {
  let victims = 0;
  fc.assert(
    fc.property(configs, fc.array(anyStep, { maxLength: 60, size: 'max' }), (config, steps) => {
      const cluster = new Cluster(config);
      for (const [index, step] of steps.entries()) {
        cluster.now = later(index);
        const pick = (jobs: readonly PlannedJob[], at: number): PlannedJob | undefined => jobs[at % jobs.length];
        if (step.kind === 'submit') cluster.write(job({ ...step.given, createdAt: cluster.now }));
        if (step.kind === 'crash') cluster.crash();
        if (step.kind === 'end') {
          const ends = pick(cluster.which('node'), step.index);
          if (ends !== undefined) cluster.drop(ends.id);
        }
        if (step.kind === 'gone') {
          const goes = pick(cluster.which('leaving'), step.index);
          if (goes !== undefined) cluster.gone(goes);
        }
        if (step.kind === 'kill') {
          const killed = pick(
            [...cluster.rows.values()].map((row) => row.job),
            step.index,
          );
          if (killed?.active === undefined) {
            if (killed !== undefined) cluster.drop(killed.id);
          } else cluster.leave(killed, false);
        }
        cluster.decide();
        expect(cluster.told.toSorted()).toEqual(
          cluster
            .which('queue')
            .map(({ id }) => id)
            .toSorted(),
        );
      }
      victims += cluster.victims;
      // Everything that runs ends, whatever leaves goes: the queue empties but for what can never start.
      for (let round = 0; round < 400 && cluster.rows.size > 0; round += 1) {
        cluster.now = later(1000 + 10 * round);
        for (const row of cluster.which('leaving')) cluster.gone(row);
        for (const row of cluster.which('node').slice(0, 1)) cluster.drop(row.id);
        cluster.decide();
        if (cluster.which('node').length + cluster.which('leaving').length === 0) break;
      }
      expect([...cluster.which('node'), ...cluster.which('leaving')]).toEqual([]);
    }),
    { seed: runSeed(), numRuns },
  );
  return victims;
}
