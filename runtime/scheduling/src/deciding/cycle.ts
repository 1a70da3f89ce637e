import type { Cycle, Decision, Preempt, Start } from '../model/decision.ts';
import { reserve, reserveQuotas } from '../policies/backfill.ts';
import { inOrder, type Pod } from '../policies/gang-request.ts';
import { type Candidates, dominantShareOrder, type OrderPolicy, submissionOrder } from '../policies/order.ts';
import type { Victim } from '../policies/preemption.ts';
import type { JobClass } from '../state/entities.ts';
import { hold } from '../state/held.ts';
import { holdQuota } from '../state/quota-hold.ts';
import type { RunningJob } from '../state/running-job.ts';
import type { SchedulerState } from '../state/state.ts';
import { goesBefore } from '../waking/closed.ts';
import { wakeAgainst } from '../waking/contenders.ts';
import { mayPreempt } from '../waking/rights.ts';
import type { Timers } from '../waking/timers.ts';
import { wakeShrinkers } from '../waking/wakes.ts';
import { admit, type Block } from './admission.ts';
import { tryConsolidate } from './consolidate.ts';
import { isAdmitted, tryPreempt } from './preempt.ts';
import { grow, growLater, shrink, tryShrink } from './resize.ts';

/**
 * One cycle: looks at every class that is awake, in the order of the policy, until none is; jobs within their scope's
 * guarantee go first. A class that is stopped sleeps until what stopped it may have changed; that a cycle ends follows
 * from each job being started and preempted at most once at one instant.
 */
export function runCycle(state: SchedulerState, timers: Timers, before: readonly Decision[]): Cycle {
  const decisions: Decision[] = [...before];
  const order: OrderPolicy = state.policy.order === 'drf' ? dominantShareOrder : submissionOrder;
  do {
    do {
      for (let of = nextClass(state, order); of !== undefined; of = nextClass(state, order)) {
        look(state, timers, of, decisions);
      }
    } while (rearrange(state, timers, decisions));
    // A reservation that is given up opens its nodes to others at once.
    reserve(state);
    if (!state.attention.busy) reserveQuotas(state);
    if (!state.attention.busy) growElastic(state, timers, decisions);
  } while (state.attention.busy);
  const guards = state.attention.sleepers.contend ? state.guards.next : undefined;
  const ripening = state.policy.reserveAfterMs === undefined ? undefined : state.order?.ripening.next;
  return { now: state.now, decisions, touched: state.touches.report(), next: timers.next(guards, ripening) };
}

function nextClass(state: SchedulerState, order: OrderPolicy): JobClass | undefined {
  if (state.attention.sleepers.stakes.entitled.size > 0) wakeAgainst(state, state.loans.takeUncovered());
  if (!state.attention.busy) return undefined;
  const older = (a: JobClass, b: JobClass): boolean => state.jobs.before(a.pending.peek() ?? 0, b.pending.peek() ?? 0);
  if (state.hasGuarantees && state.policy.reclaim) {
    state.attention.judge();
    const entitled: Candidates = {
      roots: state.roots,
      in: (scope) => scope.entitled,
      of: ({ awakeClasses }) => awakeClasses.filter((of) => of.entitled),
      older,
    };
    const first = order.first(entitled, state.shares);
    if (first !== undefined) return first;
  }
  const all: Candidates = {
    roots: state.roots,
    in: (scope) => state.attention.in(scope),
    of: (queue) => state.attention.of(queue),
    older,
  };
  return order.first(all, state.shares);
}

function look(state: SchedulerState, timers: Timers, of: JobClass, decisions: Decision[]): void {
  const slot = of.pending.peek();
  if (slot === undefined) {
    state.attention.sleep(of, undefined);
    return;
  }
  state.touchHead(of);
  const answer = admit(state, of);
  if (isAdmitted(answer)) {
    begin(state, of, slot, answer, isBackfill(state, of, answer.pods) ? 'backfill' : 'fits', decisions);
    return;
  }
  if (state.elastic.size > 0 && (answer.block.kind === 'room' || answer.block.kind === 'quota')) {
    const shrinkage = tryShrink(state, of);
    if ('spares' in shrinkage) {
      const id = state.jobs.ids[slot] as string;
      // Places were taken while the replicas were away; book them before their room is offered to anyone.
      state.dequeueHead(of, slot);
      state.start(slot, of, shrinkage.sizes, shrinkage.pods);
      decisions.push(...shrink(state, shrinkage.spares, id, of));
      decisions.push(startOf(state, id, of, shrinkage.pods, 'shrinks'));
      afterStart(state, of);
      return;
    }
    if (shrinkage.retryAt !== undefined) timers.wakeAt(of, shrinkage.retryAt);
  }
  let { block } = answer;
  of.lacking = Infinity;
  if (mayPreempt(state, of)) {
    const preemption = tryPreempt(state, of, block);
    if ('victims' in preemption) {
      const id = state.jobs.ids[slot] as string;
      for (const victim of preemption.victims) decisions.push(preempt(victim, id, of));
      // Places were taken while the victims were away; book them before their room is offered to anyone.
      state.dequeueHead(of, slot);
      const job = state.start(slot, of, preemption.sizes, preemption.pods);
      for (const victim of preemption.victims) state.stop(victim.job, true);
      decisions.push(startOf(state, job.id, of, preemption.pods, 'preempts'));
      afterStart(state, of);
      return;
    }
    block = preemption.block;
  }
  // Other sleeping classes could not use this closed node before, and still cannot.
  if (block.kind === 'room' && of.alike !== undefined) state.attention.close(of.alike);
  state.attention.sleep(of, sleepOn(block));
  if (answer.block.kind !== 'room' || state.closed.size > 0) return;
  // Where no node has room for one replica, no other class that asks for the same has any, so it need not be looked at.
  for (const other of state.attention.alike(of)) {
    if (mayPreempt(state, other)) continue;
    state.touchHead(other);
    state.attention.sleep(other, 'room');
  }
}

/** Whether places lie on nodes that are kept for another, who goes before it. */
function isBackfill(state: SchedulerState, of: JobClass, pods: readonly Pod[]): boolean {
  const { held } = state;
  if (held === undefined || held.of === of || goesBefore(state, of, held.of)) return false;
  return pods.some(({ node }) => held.nodes.has(node));
}

function sleepOn(block: Block): JobClass['asleepOn'] {
  switch (block.kind) {
    case 'room':
      return 'room';
    case 'array':
      return 'array';
    case 'energy':
      return 'everyone';
    case 'quota':
      // What is left beside guarantees changes with any scope beside.
      return block.quota.rule === 'remainder' ? (block.quota.scope.parent ?? 'everyone') : block.quota.scope;
  }
}

interface Places {
  readonly sizes: readonly number[];
  readonly pods: readonly Pod[];
}

function begin(
  state: SchedulerState,
  of: JobClass,
  slot: number,
  { sizes, pods }: Places,
  because: Start['because'],
  decisions: Decision[],
): void {
  state.dequeueHead(of, slot);
  const job = state.start(slot, of, sizes, pods);
  decisions.push(startOf(state, job.id, of, pods, because));
  afterStart(state, of);
}

/** What was kept for a job that has started is not kept any more. */
function afterStart(state: SchedulerState, of: JobClass): void {
  if (state.held?.of === of) hold(state, undefined);
  // What was kept was for this job, not for the next of its class.
  for (const [scope, kept] of state.quotaHolds) if (kept.of === of) holdQuota(state, scope, undefined);
  // Elastic gangs may lose what their scope holds above its guarantee.
  if (state.hasGuarantees) wakeShrinkers(state);
}

/** Moves running jobs so that one more that waits can start. False where that is not worth it. */
function rearrange(state: SchedulerState, timers: Timers, decisions: Decision[]): boolean {
  const found = tryConsolidate(state, timers);
  if (found === undefined) return false;
  const { of, sizes, pods, moves } = found;
  const slot = of.pending.peek() as number;
  const id = state.jobs.ids[slot] as string;
  for (const { job } of moves) decisions.push(moved(job, id, of));
  state.dequeueHead(of, slot);
  state.start(slot, of, sizes, pods);
  decisions.push(startOf(state, id, of, pods, 'consolidates'));
  for (const { job, pods: places } of moves) {
    state.move(job, places);
    decisions.push(startOf(state, job.id, job.of, places, 'moved'));
  }
  state.attention.wake(of);
  afterStart(state, of);
  return true;
}

function moved(job: RunningJob, claimant: string, of: JobClass): Preempt {
  const text = `moved to another node, so that ${claimant} of ${of.queue.spec.name} has room`;
  return { kind: 'preempt', job: job.id, queue: job.of.queue.spec.name, for: claimant, rule: 'consolidate', text };
}

function growElastic(state: SchedulerState, timers: Timers, decisions: Decision[]): void {
  if (state.elastic.size === 0) return;
  for (const { decision } of grow(state)) decisions.push(decision);
  growLater(state, timers);
}

function startOf(
  state: SchedulerState,
  job: string,
  of: JobClass,
  pods: readonly Pod[],
  because: Start['because'],
): Start {
  const places = inOrder(pods, state.nodes).map(({ group, node, gpus }) => ({
    group,
    node: state.nodes.name(node),
    gpus: [...gpus],
  }));
  return { kind: 'start', job, queue: of.queue.spec.name, pods: places, because };
}

function preempt({ job, rule }: Victim, claimant: string, of: JobClass): Preempt {
  const queue = job.of.queue.spec.name;
  const text =
    rule === 'priority'
      ? `preempted for ${claimant} of ${of.queue.spec.name}, which has priority ${of.template.priority} in the same project`
      : `preempted for ${claimant} of ${of.queue.spec.name}, which takes back what it lent of its guarantee`;
  return { kind: 'preempt', job: job.id, queue, for: claimant, rule, text };
}

/** Preemptible jobs leave nodes whose drain has begun. */
export function drain(state: SchedulerState, nodes: readonly number[]): readonly Decision[] {
  const decisions: Decision[] = [];
  for (const node of nodes) {
    const there = [...(state.onNode.get(node) ?? [])].filter(({ of }) => of.preemptible);
    for (const job of there.sort((a, b) => (a.id < b.id ? -1 : 1))) {
      decisions.push({
        kind: 'preempt',
        job: job.id,
        queue: job.of.queue.spec.name,
        for: null,
        rule: 'drain',
        text: `node ${state.nodes.name(node)} is drained`,
      });
      state.stop(job, true);
    }
  }
  return decisions;
}
