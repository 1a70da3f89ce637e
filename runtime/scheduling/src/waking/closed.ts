import type { Booking } from '../model/model.ts';
import type { JobClass } from '../state/entities.ts';
import { isWithin } from '../state/scope-tree.ts';
import type { World } from '../state/world.ts';

/* Nodes that not everybody may use: kept for one job, reserved for a scope, or with a drain to come. */

/** Whether a class may use a node that is closed to others. */
export function mayUseClosed(state: World, node: number, of: JobClass): boolean {
  const lifeSpan = of.template.lifeSpanMs;
  const endsBy = (limit: number | undefined): boolean =>
    limit !== undefined && lifeSpan !== undefined && state.now + lifeSpan <= limit;
  const drainAt = state.nodes.specs[node]?.drainAt;
  if (drainAt !== undefined && !endsBy(drainAt)) return false;
  if (bookingAgainst(state, node, of) !== undefined) return false;
  if (state.held === undefined || !state.held.nodes.has(node) || state.held.of === of) return true;
  if (goesBefore(state, of, state.held.of)) return true;
  return state.policy.backfill && endsBy(state.held.due);
}

/** A guarantee is met at once: no node is kept from it for a job that waits for what others lend. */
export function goesBefore(state: World, of: JobClass, held: JobClass): boolean {
  if (!state.policy.reclaim) return false;
  return of.stakes[0]?.within === true && held.stakes[0]?.within !== true;
}

/** Whether some reservation keeps a node from anybody, now or later. */
export function isBooked(state: World, node: number): boolean {
  if (state.bookings.size === 0) return false;
  const name = state.nodes.name(node);
  for (const { spec, nodes } of state.bookings.values()) if (state.now < spec.until && nodes.has(name)) return true;
  return false;
}

/**
 * The reservation that keeps a class from a node now, of several the first by name. Until it begins, others may use its
 * nodes if their life-span ends before that, as with conservative backfill.
 */
export function bookingAgainst(state: World, node: number, of: JobClass): Booking | undefined {
  if (state.bookings.size === 0) return undefined;
  const name = state.nodes.name(node);
  const lifeSpan = of.template.lifeSpanMs;
  let found: Booking | undefined;
  for (const { spec, scope, nodes } of state.bookings.values()) {
    if (state.now >= spec.until || !nodes.has(name) || isWithin(of.queue, scope)) continue;
    if (lifeSpan !== undefined && state.now + lifeSpan <= spec.from) continue;
    if (found === undefined || spec.name < found.name) found = spec;
  }
  return found;
}
