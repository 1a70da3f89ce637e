import { mayUseClosed } from './closed.ts';
import type { JobClass } from './entities.ts';
import { protectedUntil, ruleAgainst } from './policies/preemption.ts';
import { rightsOf } from './rights.ts';
import type { RunningJob } from './running-job.ts';
import { isWithin } from './scope-tree.ts';
import type { Shape } from './shapes.ts';
import { moveOnNode } from './trial.ts';
import type { World } from './world.ts';

/*
 * Who sleeps and may move others aside. Such a class sleeps on what would stop it even if all whom it may move aside were
 * gone, so it is to be woken only where that may have changed: on a node with more room or another victim, in a scope whose
 * use has fallen or that has another victim. Nothing is asked of those whom a change does not concern.
 */

/** Wakes those that would have room on a node for one replica at least, were those gone whom they may move aside there. */
export function wakeContendersOn(state: World, node: number): void {
  const ready = [...(state.onNode.get(node) ?? [])].filter(
    (job) => job.of.preemptible && protectedUntil(job, state.policy.minRunMs) <= state.now,
  );
  if (ready.length === 0) return;
  // Where a shape has no room though all are gone, nobody who asks for it needs to be looked at one by one.
  const rooms = new Map<string, boolean>();
  const mayFit = ({ groups }: JobClass): boolean =>
    groups.some(({ shape }) => {
      let room = rooms.get(shape.key);
      if (room === undefined) {
        room = hasRoomWithout(state, node, shape, ready);
        rooms.set(shape.key, room);
      }
      return room;
    });
  const rights = rightsOf(state);
  for (const of of contendersAgainst(state, ready)) {
    if (of.asleepOn !== 'room' || !mayFit(of)) continue;
    if (state.closed.has(node) && !mayUseClosed(state, node, of)) continue;
    const victims = ready.filter((job) => ruleAgainst(job, of, of.least, rights) !== undefined);
    if (of.groups.some(({ shape }) => hasRoomWithout(state, node, shape, victims))) state.attention.wake(of);
  }
}

/** Running jobs can be moved aside that could not before: their minimum run time is over, or no guarantee covers them any more. */
export function wakeAgainst(state: World, jobs: readonly RunningJob[]): void {
  const nodes = new Set<number>();
  for (const job of jobs) {
    for (const { node } of job.pods) nodes.add(node);
    for (const of of contendersAgainst(state, [job])) {
      const on = of.asleepOn;
      const concerned =
        on !== 'room' && (on === 'everyone' || on === 'array' || (on !== undefined && isWithin(job.of.queue, on)));
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

function hasRoomWithout(state: World, node: number, shape: Shape, jobs: readonly RunningJob[]): boolean {
  const index = state.indices.get(shape.key);
  if (index === undefined) return false;
  index.refresh(state.now);
  if (!index.accepted(node)) return false;
  return state.nodes.trial(() => {
    for (const job of jobs) moveOnNode(state.nodes, node, job, -1);
    const fits = state.nodes.fits(node, shape);
    for (const job of jobs) moveOnNode(state.nodes, node, job, 1);
    return fits;
  });
}
