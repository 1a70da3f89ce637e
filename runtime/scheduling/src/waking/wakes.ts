import { haveRoom, smallest } from '../deciding/sizes.ts';
import type { Pod } from '../policies/gang-request.ts';
import type { RunningJob } from '../state/running-job.ts';
import type { World } from '../state/world.ts';
import { wakeContendersOn } from './contenders.ts';
import { mayPreempt } from './rights.ts';
import type { Gangs } from './sleepers.ts';

/** When a gang is due that was so when it had no right to preempt anybody. */
const OVERDUE = -1;

/* Which sleeping classes are looked at again after a change. */

/** Wakes the classes that may start because a running job, or some of its replicas, have left their nodes. */
export function wakeAfter(state: World, job: Pick<RunningJob, 'of' | 'pods'>): void {
  for (const scope of job.of.queue.charged) {
    state.attention.wakeAll(state.attention.sleepers.onScope(scope));
  }
  state.attention.wakeAll(state.attention.sleepers.onScope('everyone'));
  wakeOnNodes(state, job.pods);
}

export function wakeOnNodes(state: World, pods: readonly Pod[]): void {
  for (const node of new Set(pods.map((pod) => pod.node))) wakeForRoom(state, node);
}

/**
 * Wakes what waits for room and could have some on a node where something was freed, be it by preempting others there.
 */
export function wakeForRoom(state: World, node: number): void {
  for (const [key, gangs] of state.attention.sleepers.gangs()) {
    if (gangs.classes.size > 0 && hasRoom(state, node, key)) wakeGangs(state, node, key, gangs);
  }
  for (const [key, { classes, shape, need }] of state.attention.sleepers.alike()) {
    if (!hasRoom(state, node, shape) || (need > 1 && !haveReplicas(state, shape, need))) continue;
    // Whether closed nodes may be used depends on who asks.
    if (state.closed.has(node) || (need > 1 && state.closed.size > 0)) state.attention.wakeAll(classes);
    else {
      state.attention.open(key);
      // They go before all others.
      for (const { judged } of state.attention.sleepers.stakes.entitled)
        for (const of of judged) if (of.alike === key && of.asleepOn === 'room') state.attention.wake(of, node);
    }
  }
  wakeContendersOn(state, node);
  wakeShrinkers(state);
}

/**
 * Wakes the gangs for which there may be room in all, or may be if others are preempted; as long as neither can be so
 * for any, none is looked at.
 */
function wakeGangs(state: World, node: number, shape: string, gangs: Gangs): void {
  const index = state.indices.get(shape);
  if (index === undefined) return;
  gangs.freed += state.nodes.count(node, index.shape);
  if (gangs.freed < gangs.dueAt && index.replicas(state.now) < gangs.need) return;
  gangs.dueAt = Infinity;
  gangs.need = Infinity;
  for (const of of [...gangs.classes]) {
    const due = of.dueAt <= gangs.freed;
    const room = of.alike === undefined && haveRoom(state, of, smallest(of));
    if (room || (due && mayPreempt(state, of))) {
      state.attention.wake(of);
      continue;
    }
    // A class that may preempt nothing is looked at again when it gets the right to.
    if (due) of.dueAt = OVERDUE;
    else gangs.dueAt = Math.min(gangs.dueAt, of.dueAt);
    if (of.alike !== undefined) continue;
    for (const group of of.groups) if (group.shape.key === shape) gangs.need = Math.min(gangs.need, group.min);
  }
}

function haveReplicas(state: World, shape: string, need: number): boolean {
  return (state.indices.get(shape)?.replicas(state.now) ?? 0) >= need;
}

function hasRoom(state: World, node: number, shape: string): boolean {
  const index = state.indices.get(shape);
  if (index === undefined) return false;
  index.refresh(state.now);
  return index.accepted(node) && state.nodes.fits(node, index.shape);
}

/** Wakes sleeping classes that might get replicas above the minimum of elastic gangs. Any class may ask for those. */
export function wakeShrinkers(state: World): void {
  if (state.elastic.size > 0) state.attention.wakeAll(state.attention.sleepers.all);
}
