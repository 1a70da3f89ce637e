import type { Shape } from '../model/shapes.ts';
import { Claim, protectedUntil } from '../policies/preemption.ts';
import type { JobClass, ScopeState, Stake } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import { countsUnder } from '../state/scope-tree.ts';
import { moveOnNode } from '../state/trial.ts';
import type { World } from '../state/world.ts';
import { mayUseClosed } from './closed.ts';
import { rightsOf } from './rights.ts';

/*
 * Who sleeps and may preempt others. Such a class sleeps on what would stop it even if all whom it may preempt were
 * gone, so it is to be woken only where that may have changed: on a node with more room or another victim, in a scope
 * whose use has fallen or that has another victim. Classes that a change does not concern are not looked at.
 */

/**
 * Wakes the classes that would have room on a node for one replica at least if the jobs that they may preempt there
 * were gone.
 */
export function wakeContendersOn(state: World, node: number): void {
  state.attention.changed(node);
  const ready = readyOn(state, node);
  if (ready.length === 0) return;
  // Where a shape has no room even without all of them, the classes that ask for it need not be looked at one by one.
  const rooms = new Map<string, number>();
  const mayFit = ({ groups }: JobClass): boolean =>
    groups.some(({ shape }) => {
      const room = rooms.get(shape.key) ?? roomWithout(state, node, shape, ready);
      rooms.set(shape.key, room);
      return room > 0;
    });
  for (const of of contendersAgainst(state, ready)) {
    if (of.asleepOn !== 'room' || !mayFit(of)) continue;
    if (state.closed.has(node) && !mayUseClosed(state, node, of)) continue;
    const claim = new Claim(of, rightsOf(state));
    const victims = ready.filter((job) => claim.against(job) !== undefined);
    const room = of.groups.map(({ shape }) => roomWithout(state, node, shape, victims));
    if (room.every((replicas) => replicas === 0)) continue;
    if (of.single) state.attention.wake(of, node);
    else {
      const gained = room.reduce((sum, replicas) => sum + replicas, 0);
      wakeGang(state, of, gained);
    }
  }
}

/** On more nodes than that it is not asked where there would be room. */
const NODES_ASKED = 64;

/**
 * Jobs lie within a guarantee that did not before, and may have back what was lent beside it, where that makes room for
 * them.
 */
export function wakeEntitled(state: World, { scope, asleep }: Stake): void {
  const nodes = loanNodes(state, scope);
  const rooms = new Map<string, readonly number[]>();
  const roomsFor = (shape: Shape, on: readonly number[]): readonly number[] => {
    let room = rooms.get(shape.key);
    if (room === undefined) {
      // All jobs there that may be preempted by any right. No class may preempt more, and the set is the same for all classes.
      room = on.map((node) => roomWithout(state, node, shape, readyOn(state, node)));
      rooms.set(shape.key, room);
    }
    return room;
  };
  for (const of of [...asleep]) {
    if (nodes === undefined || of.asleepOn !== 'room') state.attention.wake(of);
    else if (of.single) {
      for (const { shape } of of.groups)
        roomsFor(shape, nodes).forEach((room, n) => {
          if (room > 0) state.attention.wake(of, nodes[n]);
        });
    } else if (nodes.length > 0) {
      const gained = of.groups.flatMap(({ shape }) => roomsFor(shape, nodes)).reduce((sum, room) => sum + room, 0);
      if (gained > 0) wakeGang(state, of, gained);
    }
  }
}

/** A gang is looked at again when what has changed may hold all that it lacked. */
function wakeGang(state: World, of: JobClass, gained: number): void {
  of.dueAt -= gained;
  const freed = state.attention.sleepers.gangs().get(of.groups[0]?.shape.key ?? '')?.freed ?? 0;
  // There was no job that it could preempt, and now there may be one.
  if (of.dueAt <= freed || of.dueAt === Infinity) state.attention.wake(of);
}

/**
 * Nodes of jobs that run on loan beside a scope or one above it and that nothing protects; undefined: too many to ask
 * each.
 */
function loanNodes(state: World, scope: ScopeState): readonly number[] | undefined {
  const nodes = new Set<number>();
  if (!state.policy.reclaim) return [];
  for (const step of scope.path) {
    for (const beside of step.parent?.children ?? state.roots) {
      if (beside === step) continue;
      for (const job of state.loans.in(beside)) {
        if (protectedUntil(job, state.policy.minRunMs) > state.now) continue;
        for (const { node } of job.pods) nodes.add(node);
        if (nodes.size > NODES_ASKED) return undefined;
      }
    }
  }
  return [...nodes];
}

/** Jobs on a node that can be preempted and that nothing protects any more. */
function readyOn(state: World, node: number): readonly RunningJob[] {
  return [...(state.onNode.get(node) ?? [])].filter(
    (job) => job.of.preemptible && protectedUntil(job, state.policy.minRunMs) <= state.now,
  );
}

/**
 * Running jobs can be preempted that could not before: their minimum run time is over, or no guarantee covers them any
 * more.
 */
export function wakeAgainst(state: World, jobs: readonly RunningJob[]): void {
  const nodes = new Set<number>();
  for (const job of jobs) {
    for (const { node } of job.pods) nodes.add(node);
    for (const of of contendersAgainst(state, [job])) {
      const on = of.asleepOn;
      const concerned =
        on !== 'room' && (on === 'everyone' || on === 'array' || (on !== undefined && countsUnder(job.of.queue, on)));
      if (concerned) state.attention.wake(of);
    }
  }
  for (const node of nodes) wakeContendersOn(state, node);
}

/** Those that sleep and may have a right against one of these jobs at least. */
function contendersAgainst(state: World, jobs: readonly RunningJob[]): ReadonlySet<JobClass> {
  const found = new Set<JobClass>();
  const { sleepers } = state.attention;
  if (state.policy.preemption) {
    for (const { of } of jobs) {
      for (const each of sleepers.ofProject(of.queue.project)) if (each.rank > of.rank) found.add(each);
    }
  }
  if (state.policy.reclaim)
    for (const { judged } of sleepers.stakes.entitled) for (const each of judged) found.add(each);
  return found;
}

/** How many of a shape a node has room for if some of its jobs are gone. */
function roomWithout(state: World, node: number, shape: Shape, jobs: readonly RunningJob[]): number {
  const index = state.indices.get(shape.key);
  if (index === undefined) return 0;
  index.refresh(state.now);
  if (!index.accepted(node)) return 0;
  return state.nodes.trial(() => {
    for (const job of jobs) moveOnNode(state.nodes, node, job, -1);
    const room = state.nodes.count(node, shape);
    for (const job of jobs) moveOnNode(state.nodes, node, job, 1);
    return room;
  });
}
