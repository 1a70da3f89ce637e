import type { NodeReport } from '@delos/core';
import { expect, test } from 'vitest';
import type { Facts, PlannedJob } from '../../../../runtime/service/src/scheduler/planned.ts';
import { Planner } from '../../../../runtime/service/src/scheduler/planner.ts';
import { explainWaiting } from '../../../../runtime/service/src/scheduler/waiting.ts';
import {
  facts,
  GIB,
  type JobFacts,
  job,
  later,
  NOW,
  NVIDIA,
  needs,
  node,
  running,
} from '../../../support/service/planner.ts';

/* Which job is preempted for which in the service, and when the other starts. By which rules: the core's own tests. */

const GUARANTEED = facts({}, [], { 'acme/two': { guarantee: { cpu: 4 } } });
const spot = (given: JobFacts = {}): PlannedJob => job({ cpu: 4, preemptible: true, ...given });
const leaves = (of: PlannedJob, on: string | null = 'a'): PlannedJob => running(of, on, { leaving: true });
const again = (of: PlannedJob): PlannedJob => ({ ...of, run: of.run + 1, active: undefined });

interface Step {
  readonly out: readonly string[];
  readonly in: readonly string[];
}

class Told {
  readonly planner: Planner;

  constructor(config: Facts, nodes: readonly NodeReport[], jobs: readonly PlannedJob[]) {
    this.planner = new Planner(config, nodes, jobs, NOW);
  }

  row(of: PlannedJob, now = NOW): this {
    this.planner.setJob(of.id, of, now);
    return this;
  }

  gone(of: PlannedJob): this {
    this.planner.setJob(of.id, undefined, NOW);
    return this;
  }

  next(now = NOW): Step {
    const { preemptions, admissions } = this.planner.decide(now);
    return { out: preemptions.map(({ id }) => id), in: admissions.map(({ id }) => id) };
  }
}

test('what was lent is taken back: one job is preempted, the other starts when it has ended, and the first comes back later', () => {
  const [lent, claims] = [spot({ run: 2 }), job({ cpu: 4, project: 'two' })];
  const told = new Told(GUARANTEED, [node('a')], [running(lent, 'a', { since: later(-60) }), claims]);
  const { preemptions, admissions } = told.planner.decide(NOW);
  expect(admissions).toEqual([]);
  expect(preemptions).toEqual([
    {
      id: lent.id,
      run: 2,
      description: `preempted for ${claims.id} of acme/two/alice, which takes back what it lent of its guarantee`,
    },
  ]);
  expect(explainWaiting(told.planner, told.planner.waiting).waiting).toEqual([
    {
      id: claims.id,
      reason: 'NoCapacity',
      description: 'It starts on node a as soon as 1 job that is stopping has ended.',
    },
  ]);
  expect(told.planner.queued).toBe(1);
  expect(told.row(leaves(lent)).next()).toEqual({ out: [], in: [] });
  expect(told.row(again(lent)).next()).toEqual({ out: [], in: [claims.id] });
  expect(told.gone(claims).next()).toEqual({ out: [], in: [lent.id] });
});

test.each<[string, PlannedJob, JobFacts, boolean]>([
  ['of lower priority in the same project', spot({ priority: -1 }), {}, true],
  ['of the same priority', spot(), {}, false],
  ['of another project', spot({ priority: -1, project: 'two' }), {}, false],
  ['that is not preemptible', spot({ priority: -1, preemptible: false }), {}, false],
  ['for one that is preemptible itself', spot({ priority: 0 }), { priority: 1, preemptible: true }, true],
])('a job %s is preempted: %s', (_, held, claims, gives) => {
  const told = new Told(facts(), [node('a')], [running(held, 'a', { since: later(-60) }), job({ cpu: 4, ...claims })]);
  expect(told.next().out).toEqual(gives ? [held.id] : []);
});

test('no job is preempted before the least time that a run may last, and then it is without any event', () => {
  const config = { ...GUARANTEED, minRunSeconds: 60 };
  const [lent, claims] = [spot(), job({ cpu: 4, project: 'two' })];
  const told = new Told(config, [node('a')], [running(lent, 'a'), claims]);
  const { preemptions, next } = told.planner.decide(later(1));
  expect(preemptions).toEqual([]);
  expect(next).toBe(later(60).getTime());
  expect(told.next(later(59)).out).toEqual([]);
  expect(told.next(later(60)).out).toEqual([lent.id]);
});

test('a planner that is made anew starts no job where others are still stopping', () => {
  const [lent, claims] = [spot(), job({ cpu: 4, project: 'two' })];
  const told = new Told(GUARANTEED, [node('a')], [leaves(lent), claims]);
  expect(told.next()).toEqual({ out: [], in: [] });
  expect(told.row(again(lent)).next()).toEqual({ out: [], in: [claims.id] });
});

test('for a place that a stopping job is about to free, no other job is preempted', () => {
  const [killed, lent] = [job({ cpu: 4, project: 'two' }), spot()];
  const claims = job({ cpu: 4, project: 'two' });
  const told = new Told(GUARANTEED, [node('a'), node('b')], [leaves(killed), running(lent, 'b'), claims]);
  expect(told.next(later(60))).toEqual({ out: [], in: [] });
  expect(told.gone(killed).next(later(60))).toEqual({ out: [], in: [claims.id] });
});

test('a job that has room beside those that are stopping does not wait for them', () => {
  const nodes = [node('a', { cpu: 6 })];
  const [killed, small, large] = [job({ cpu: 2 }), job({ cpu: 4, age: 2 }), job({ cpu: 2, age: 1 })];
  const told = new Told(facts(), nodes, [leaves(killed), small, large]);
  // Both would fit without it; beside it no more than what there is.
  expect(told.next()).toEqual({ out: [], in: [] });
  const one = new Told(facts(), nodes, [leaves(killed), small]);
  expect(one.next()).toEqual({ out: [], in: [small.id] });
});

test.each<[string, Partial<NodeReport>, JobFacts]>([
  ['memory', { cpu: 64 }, { gib: 8 }],
  ['devices', { cpu: 64, memory: 64 * GIB, extended: { [NVIDIA]: 2 } }, { gpu: 2 }],
  ['devices that are only counted', { cpu: 64, memory: 64 * GIB, extended: { [NVIDIA]: 99 } }, { gpu: 99 }],
  ['places for Pods', { cpu: 64, memory: 64 * GIB, pods: 1 }, {}],
])('stopping jobs hold their %s until they have ended', (_, has, asks) => {
  const [killed, next] = [job({ cpu: 1, ...asks }), job({ cpu: 1, ...asks })];
  const told = new Told(facts(), [node('a', has)], [leaves(killed), next]);
  expect(told.next()).toEqual({ out: [], in: [] });
  expect(told.gone(killed).next()).toEqual({ out: [], in: [next.id] });
});

test.each([
  ['quota', facts({ acme: { cpu: 4 } })],
  ['number of jobs', facts({ 'acme/one': { runningJobs: 1 } })],
  ['limit', facts({}, [], { 'acme/one/alice': { limit: { memory: GIB } } })],
])('stopping jobs count against the %s until they have ended', (_, config) => {
  const [low, high] = [spot({ priority: -1 }), job({ cpu: 4, priority: 1 })];
  const nodes = [node('a', { cpu: 64, memory: 64 * GIB })];
  const told = new Told(config, nodes, [running(low, 'a', { since: later(-60) }), high]);
  expect(told.next()).toEqual({ out: [low.id], in: [] });
  expect(told.row(leaves(low)).next()).toEqual({ out: [], in: [] });
  expect(told.row(again(low)).next()).toEqual({ out: [], in: [high.id] });
});

test('a place stays with the job for which others were preempted; it is free again when that is killed', () => {
  const [lent, claims] = [spot(), job({ cpu: 4, project: 'two' })];
  const told = new Told(GUARANTEED, [node('a')], [running(lent, 'a', { since: later(-60) }), claims]);
  expect(told.next().out).toEqual([lent.id]);
  const late = job({ cpu: 4, project: 'two', priority: 1 });
  told.row(leaves(lent)).row(late).row(claims);
  expect(told.next()).toEqual({ out: [], in: [] });
  expect(told.gone(claims).next()).toEqual({ out: [], in: [] });
  expect(told.row(again(lent)).next()).toEqual({ out: [], in: [late.id] });
});

test('a place on a node that is lost is none: the job is placed elsewhere', () => {
  const [lent, claims] = [spot(), job({ cpu: 4, project: 'two' })];
  const told = new Told(GUARANTEED, [node('a')], [running(lent, 'a', { since: later(-60) }), claims]);
  expect(told.next().out).toEqual([lent.id]);
  told.row(leaves(lent)).planner.setNodes([node('a', { ready: false }), node('b')], NOW);
  expect(told.planner.decide(NOW).admissions).toMatchObject([{ id: claims.id, node: 'b' }]);
});

test('a job that has a place kept may lose it to a better claim, and was never preempted', () => {
  const config = facts({}, [], { 'acme/two': { guarantee: { cpu: 4 } } });
  const [low, mid] = [spot({ priority: -1 }), spot({ priority: 0 })];
  const told = new Told(config, [node('a')], [running(low, 'a', { since: later(-60) }), mid]);
  expect(told.next().out).toEqual([low.id]);
  const claims = job({ cpu: 4, project: 'two' });
  told.row(leaves(low)).row(claims);
  expect(told.next(later(1))).toEqual({ out: [], in: [] });
  expect(told.row(again(low)).next(later(1))).toEqual({ out: [], in: [claims.id] });
  expect(told.planner.waiting.toSorted()).toEqual([low.id, mid.id].toSorted());
});

test('a victim whose row still says that it runs is where it was', () => {
  const [lent, claims] = [spot(), job({ cpu: 4, project: 'two' })];
  const held = running(lent, 'a', { since: later(-60) });
  const told = new Told(GUARANTEED, [node('a')], [held, claims]);
  expect(told.next().out).toEqual([lent.id]);
  // Not written: its row is told again as before.
  expect(told.row(held).next()).toEqual({ out: [lent.id], in: [] });
});

test('what runs of a catalogue that was not preemptible then is not now', () => {
  const config = facts({}, [{ name: 'any', resources: needs(4, GIB), pools: [], preemptible: true }], {
    'acme/two': { guarantee: { cpu: 4 } },
  });
  const old = spot({ preemptible: false });
  const claims = job({ cpu: 4, project: 'two' });
  const told = new Told(config, [node('a')], [running(old, 'a', { since: later(-60) }), claims]);
  expect(told.next()).toEqual({ out: [], in: [] });
});
