import { bookingAgainst } from './bookings.ts';
import type { JobClass } from './job-class.ts';
import type { Reservation } from './model.ts';
import type { SchedulerState } from './state.ts';
import { wakeContenders, wakeForRoom } from './wakes.ts';

/** Nodes kept for the oldest job of a class. */
export interface Held {
  readonly of: JobClass;
  readonly nodes: ReadonlySet<number>;
  /** When it will have room at the latest; undefined: not known. */
  readonly due: number | undefined;
}

/** Opens what was reserved, and reserves anew. */
export function hold(state: SchedulerState, held: Held | undefined): void {
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
export function mayUseClosed(state: SchedulerState, node: number, of: JobClass): boolean {
  const lifeSpan = of.template.lifeSpanMs;
  const endsBy = (limit: number | undefined): boolean =>
    limit !== undefined && lifeSpan !== undefined && state.now + lifeSpan <= limit;
  const drainAt = state.nodes.specs[node]?.drainAt;
  if (drainAt !== undefined && !endsBy(drainAt)) return false;
  if (bookingAgainst(state, node, of) !== undefined) return false;
  if (state.held === undefined || !state.held.nodes.has(node) || state.held.of === of) return true;
  return state.policy.backfill && endsBy(state.held.due);
}

export function reservationsOf(state: SchedulerState): readonly Reservation[] {
  const slot = state.held?.of.pending.peek();
  if (state.held === undefined || slot === undefined) return [];
  const nodes = [...state.held.nodes].map((node) => state.nodes.name(node)).sort();
  const due = state.held.due === undefined ? {} : { due: state.held.due };
  return [{ job: state.jobs.ids[slot] as string, nodes, ...due }];
}
