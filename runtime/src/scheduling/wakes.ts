import { wakeContendersOn } from './contenders.ts';
import type { ScopeState } from './entities.ts';
import type { Pod } from './policies/gang-request.ts';
import type { RunningJob } from './running-job.ts';
import type { World } from './world.ts';

/* What of those that sleep is to be looked at again, by what has changed. */

/** Wakes what may start now that a running job, or some of its replicas, have left their nodes. */
export function wakeAfter(state: World, job: Pick<RunningJob, 'of' | 'pods'>): void {
  for (let scope: ScopeState | undefined = job.of.queue; scope !== undefined; scope = scope.parent) {
    state.attention.wakeAll(state.attention.sleepers.onScope(scope));
  }
  state.attention.wakeAll(state.attention.sleepers.onScope('everyone'));
  wakeOnNodes(state, job.pods);
}

export function wakeOnNodes(state: World, pods: readonly Pod[]): void {
  for (const node of new Set(pods.map((pod) => pod.node))) wakeForRoom(state, node);
}

/** Wakes what waits for room and could have some on a node where something was freed, be it by moving others aside there. */
export function wakeForRoom(state: World, node: number): void {
  for (const [key, classes] of state.attention.sleepers.onRoom()) {
    if (hasRoom(state, node, key)) state.attention.wakeAll(classes);
  }
  for (const [key, classes] of state.attention.sleepers.alike()) {
    if (!hasRoom(state, node, key)) continue;
    // Whether a closed node may be used depends on who asks.
    if (state.closed.has(node)) state.attention.wakeAll(classes);
    else state.attention.open(key);
  }
  wakeContendersOn(state, node);
  wakeShrinkers(state);
}

function hasRoom(state: World, node: number, shape: string): boolean {
  const index = state.indices.get(shape);
  if (index === undefined) return false;
  index.refresh(state.now);
  return index.accepted(node) && state.nodes.fits(node, index.shape);
}

/** Wakes what sleeps and might have replicas above the minimum of elastic gangs, which anybody may ask for. */
export function wakeShrinkers(state: World): void {
  if (state.elastic.size > 0) state.attention.wakeAll(state.attention.sleepers.all);
}
