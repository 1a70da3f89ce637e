import { bookingAgainst } from './bookings.ts';
import type { JobClass } from './entities.ts';
import type { Reservation } from './model.ts';
import { wakeContenders, wakeForRoom } from './wakes.ts';
import type { Held, World } from './world.ts';

/** Opens what was reserved, and reserves anew. */
export function hold(state: World, held: Held | undefined): void {
  const before = state.held;
  state.held = held;
  for (const node of [...(before?.nodes ?? []), ...(held?.nodes ?? [])]) state.reclose(node);
  for (const index of state.indices.values()) index.invalidate();
  if (before === undefined) return;
  for (const node of before.nodes) wakeForRoom(state, node);
  // Others may be moved aside there again.
  wakeContenders(state);
}

/** Whether a class may use a node that is closed to others. */
export function mayUseClosed(state: World, node: number, of: JobClass): boolean {
  const lifeSpan = of.template.lifeSpanMs;
  const endsBy = (limit: number | undefined): boolean =>
    limit !== undefined && lifeSpan !== undefined && state.now + lifeSpan <= limit;
  const drainAt = state.nodes.specs[node]?.drainAt;
  if (drainAt !== undefined && !endsBy(drainAt)) return false;
  if (bookingAgainst(state, node, of) !== undefined) return false;
  if (state.held === undefined || !state.held.nodes.has(node) || state.held.of === of) return true;
  return state.policy.backfill && endsBy(state.held.due);
}

export function reservationsOf(state: World): readonly Reservation[] {
  const slot = state.held?.of.pending.peek();
  if (state.held === undefined || slot === undefined) return [];
  const nodes = [...state.held.nodes].map((node) => state.nodes.name(node)).sort();
  const due = state.held.due === undefined ? {} : { due: state.held.due };
  return [{ job: state.jobs.ids[slot] as string, nodes, ...due }];
}
