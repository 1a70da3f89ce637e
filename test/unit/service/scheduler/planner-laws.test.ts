import type { NodeReport, Quota } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { observedSnapshot, snapshot, snapshotFaults } from '../../../../runtime/scheduling/src/index.ts';
import type { Facts, PlannedJob } from '../../../../runtime/service/src/scheduler/planned.ts';
import { Planner } from '../../../../runtime/service/src/scheduler/planner.ts';
import { explainWaiting } from '../../../../runtime/service/src/scheduler/waiting.ts';
import { runSeed } from '../../../support/random.ts';
import { facts, GIB, job, later, NOW, NVIDIA, node, running } from '../../../support/service/planner.ts';

const SEED = { seed: runSeed() };

const anyNode = fc.record({
  pool: fc.constantFrom('default', 'gpus'),
  ready: fc.constantFrom(true, true, true, false),
  schedulable: fc.constantFrom(true, true, true, false),
  cpu: fc.integer({ min: 0, max: 8 }),
  gib: fc.integer({ min: 0, max: 8 }),
  gpu: fc.integer({ min: 0, max: 4 }),
  pods: fc.integer({ min: 0, max: 5 }),
});
const anyJob = fc.record({
  cpu: fc.constantFrom(0.1, 0.5, 1, 3),
  gib: fc.constantFrom(0.5, 1, 4),
  gpu: fc.constantFrom(0, 0, 1, 2),
  priority: fc.constantFrom(-1, 0, 1),
  project: fc.constantFrom('one', 'two'),
  owner: fc.constantFrom('alice', 'bob'),
  pools: fc.constantFrom([], ['gpus'], ['default']),
  lifeSpanMinutes: fc.constantFrom(null, 5, 60),
  age: fc.integer({ min: 0, max: 50 }),
});
const anyQuota: fc.Arbitrary<Quota> = fc
  .record(
    {
      runningJobs: fc.nat(4),
      cpu: fc.nat(4),
      memory: fc.integer({ min: 1, max: 6 }).map((gib) => gib * GIB),
      gpu: fc.nat(3),
    },
    { requiredKeys: [] },
  )
  .map((quota) => ({ ...quota }) as Quota);
const anyFacts: fc.Arbitrary<Facts> = fc
  .tuple(anyQuota, anyQuota, anyQuota)
  .map(([acme, one, two]) => facts({ acme, 'acme/one': one, 'acme/two': two }));
const anyReports: fc.Arbitrary<readonly NodeReport[]> = fc
  .array(anyNode, { maxLength: 5 })
  .map((nodes) =>
    nodes.map(({ gib, gpu, ...rest }, index) =>
      node(`n${index}`, { ...rest, memory: gib * GIB, extended: gpu === 0 ? {} : { [NVIDIA]: gpu } }),
    ),
  );
const anyQueue: fc.Arbitrary<readonly PlannedJob[]> = fc
  .array(anyJob, { maxLength: 15 })
  .map((jobs) => jobs.map((facts_) => job(facts_)));

/** What all jobs of a list hold. */
const total = (jobs: readonly PlannedJob[]) => ({
  jobs: jobs.length,
  cpu: jobs.reduce((sum, { resources }) => sum + Math.round(resources.cpu * 1000), 0) / 1000,
  memory: jobs.reduce((sum, { resources }) => sum + resources.memory, 0),
  gpu: jobs.reduce((sum, { resources }) => sum + (resources.extended[NVIDIA] ?? 0), 0),
});

test('every job in the queue is either admitted or told why not, once, in two sentences at most', () => {
  fc.assert(
    fc.property(anyFacts, anyReports, anyQueue, (config, reports, queue) => {
      const planner = new Planner(config, reports, queue, NOW);
      const { admissions } = planner.decide(NOW);
      const waiting = explainWaiting(planner, planner.waiting).waiting;
      const told = [...admissions, ...waiting].map(({ id }) => id).toSorted();
      expect(told).toEqual(queue.map(({ id }) => id).toSorted());
      expect(planner.queued).toBe(waiting.length);
      for (const { description } of waiting) expect(description.match(/\.( |$)/g)?.length).toBeLessThanOrEqual(2);
    }),
    SEED,
  );
});

test('no admission exceeds what a node has, and none goes to a node that takes no jobs or to another pool', () => {
  fc.assert(
    fc.property(anyFacts, anyReports, anyQueue, (config, reports, queue) => {
      const { admissions } = new Planner(config, reports, queue, NOW).decide(NOW);
      for (const report of reports) {
        const there = admissions.filter((admission) => admission.node === report.name);
        const used = total(queue.filter(({ id }) => there.some((admission) => admission.id === id)));
        expect(used.jobs).toBeLessThanOrEqual(report.pods);
        expect(used.cpu).toBeLessThanOrEqual(report.cpu);
        expect(used.memory).toBeLessThanOrEqual(report.memory);
        expect(used.gpu).toBeLessThanOrEqual(report.extended[NVIDIA] ?? 0);
        for (const { id, pool } of there) {
          const pools = queue.find((each) => each.id === id)?.pools ?? [];
          expect(report.ready && report.schedulable && report.pool === pool).toBe(true);
          expect(pools.length === 0 || pools.includes(pool)).toBe(true);
        }
      }
    }),
    SEED,
  );
});

test('no admission exceeds a quota', () => {
  fc.assert(
    fc.property(anyFacts, anyReports, anyQueue, (config, reports, queue) => {
      const { admissions } = new Planner(config, reports, queue, NOW).decide(NOW);
      const admitted = queue.filter(({ id }) => admissions.some((admission) => admission.id === id));
      const scopes = [
        ...config.organizations.map(({ quota }) => ({ quota, of: admitted })),
        ...config.projects.map(({ name, quota }) => ({
          quota,
          of: admitted.filter(({ project }) => project === name),
        })),
      ];
      for (const { quota, of } of scopes) {
        const used = total(of);
        expect(used.jobs).toBeLessThanOrEqual(quota.runningJobs ?? Infinity);
        expect(used.cpu).toBeLessThanOrEqual(quota.cpu ?? Infinity);
        expect(used.memory).toBeLessThanOrEqual(quota.memory ?? Infinity);
        expect(used.gpu).toBeLessThanOrEqual(quota.gpu ?? Infinity);
      }
    }),
    SEED,
  );
});

test('the decision does not depend on the order of its lists', () => {
  fc.assert(
    fc.property(anyFacts, anyReports, anyQueue, (config, reports, queue) => {
      const turned = new Planner(config, reports.toReversed(), queue.toReversed(), NOW).decide(NOW);
      expect(turned).toEqual(new Planner(config, reports, queue, NOW).decide(NOW));
    }),
    SEED,
  );
});

const anyStep = fc.oneof(
  { weight: 4, arbitrary: anyJob.map((facts_) => ({ kind: 'submit' as const, facts: facts_ })) },
  { weight: 2, arbitrary: fc.nat().map((index) => ({ kind: 'end' as const, index })) },
  { weight: 1, arbitrary: anyReports.map((reports) => ({ kind: 'nodes' as const, reports })) },
  { weight: 1, arbitrary: fc.nat().map((index) => ({ kind: 'kill' as const, index })) },
);

/*
 * Rows are the truth: a scheduler that was killed makes its planner of them. Jobs are young, so that nobody has nodes kept,
 * and each runs where it was expected to: what a planner remembers beside rows is then nothing.
 */
test('a planner made of the rows decides as the one that has followed every change, and shows what can be read', () => {
  let overfull = 0;
  fc.assert(
    fc.property(anyFacts, anyReports, fc.array(anyStep, { maxLength: 25 }), (config, first, steps) => {
      let reports = first;
      const rows = new Map<string, PlannedJob>();
      const planner = new Planner(config, reports, [], NOW);
      for (const [index, step] of steps.entries()) {
        const now = later(index / 10);
        const ids = [...rows.keys()];
        if (step.kind === 'submit') {
          const made = job({ ...step.facts, createdAt: later(index / 10 - 1) });
          rows.set(made.id, made);
          planner.setJob(made.id, made, now);
        } else if (step.kind === 'nodes') {
          // Nodes come and go, jobs with them.
          reports = step.reports;
          planner.setNodes(reports, now);
          for (const [id, { active }] of rows) {
            if (active === undefined || reports.some(({ name }) => name === active.node)) continue;
            rows.delete(id);
            planner.setJob(id, undefined, now);
          }
        } else {
          const id = ids[step.index % Math.max(1, ids.length)];
          if (id === undefined) continue;
          rows.delete(id);
          planner.setJob(id, undefined, now);
        }
        const anew = new Planner(config, reports, rows.values(), now).decide(now);
        const { admissions } = planner.decide(now);
        expect(admissions.map(({ id }) => id).toSorted()).toEqual(anew.admissions.map(({ id }) => id).toSorted());
        for (const { id, pool, node: name } of admissions) {
          const row = running(rows.get(id) as PlannedJob, name, { pool, since: now });
          rows.set(id, row);
          planner.setJob(id, row, now);
        }
        const { observed, ...shown } = snapshot.parse(JSON.parse(JSON.stringify(observedSnapshot(planner.core))));
        expect(snapshotFaults({ ...shown, observed })).toEqual([]);
        if (snapshotFaults(shown).length > 0) overfull += 1;
      }
    }),
    SEED,
  );
  // A node became smaller than what runs there, which without that mark would be a mistake.
  expect(overfull).toBeGreaterThan(0);
});

test('capacity is the number of jobs that one round would admit', () => {
  fc.assert(
    fc.property(anyReports, anyJob, (reports, { cpu, gib, gpu, pools }) => {
      const jobs = Array.from({ length: 41 }, () => job({ cpu, gib, gpu, pools }));
      const resources = jobs[0]?.resources ?? job().resources;
      const config = facts({}, [{ name: 'any', resources, pools }]);
      const { admissions } = new Planner(config, reports, jobs, NOW).decide(NOW);
      expect(new Planner(config, reports, [], NOW).roomFor('any')).toBe(admissions.length);
    }),
    SEED,
  );
});
