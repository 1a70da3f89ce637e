import type { Reservation } from '../model/model.ts';
import { wakeForRoom } from '../waking/wakes.ts';
import type { JobClass } from './entities.ts';
import type { Held, World } from './world.ts';

/** Opens what was reserved, and reserves anew. */
export function hold(state: World, held: Held | undefined): void {
  const before = state.held;
  state.held = held;
  for (const node of new Set([...(before?.nodes ?? []), ...(held?.nodes ?? [])])) {
    state.reclose(node);
    state.nodes.reconsider(node);
  }
  if (before === undefined) return;
  for (const node of before.nodes) wakeForRoom(state, node);
}

/** Whether nodes or some quota are kept for the oldest job of a class. */
export function isKeptFor({ held, quotaHolds }: World, of: JobClass): boolean {
  return held?.of === of || [...quotaHolds.values()].some((hold) => hold.of === of);
}

export function reservationsOf(state: World): readonly Reservation[] {
  const slot = state.held?.of.pending.peek();
  if (state.held === undefined || slot === undefined) return [];
  const nodes = [...state.held.nodes].map((node) => state.nodes.name(node)).sort();
  const due = state.held.due === undefined ? {} : { due: state.held.due };
  return [{ job: state.jobs.ids[slot] as string, nodes, ...due }];
}
