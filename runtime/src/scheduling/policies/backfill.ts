import { earliestStart } from '../forecast.ts';
import type { Held } from '../held.ts';
import { hold } from '../held.ts';
import type { JobClass } from '../job-class.ts';
import type { SchedulerState } from '../state.ts';
import type { Timers } from '../timers.ts';

/** Jobs looked at for one that can be given a reservation. */
const CANDIDATES = 8;

/**
 * Conservative backfill with one reservation: of the classes that wait for room, the oldest job of the highest priority
 * that has waited for `reserveAfterMs` has those nodes kept that will have room for it first. Others use them only if
 * their life-span ends before that, so its start is never delayed, and no stream of small jobs passes it for ever.
 *
 * Sources: Lifka, "The ANL/IBM SP Scheduling System", JSSPP 1995 (EASY); Mu'alem and Feitelson, "Utilization,
 * Predictability, Workloads, and User Runtime Estimates", TPDS 2001.
 */
export function reserve(state: SchedulerState, timers: Timers): void {
  const after = state.policy.reserveAfterMs;
  if (after === undefined) return;
  if (state.held !== undefined && isUseful(state, state.held)) return;
  if (state.held !== undefined) hold(state, undefined);
  const ripe: JobClass[] = [];
  let soonest = Infinity;
  for (const of of state.attention.sleepers.all) {
    const slot = of.pending.peek();
    if (of.asleepOn !== 'room' || slot === undefined) continue;
    const at = state.jobs.submittedAt(slot) + after;
    if (at > state.now) soonest = Math.min(soonest, at);
    else ripe.push(of);
  }
  if (soonest < (timers.reservations.next ?? Infinity)) timers.reservations.add(soonest, null);
  ripe.sort((a, b) => (isBefore(state, a, b) ? -1 : 1));
  for (const of of ripe.slice(0, CANDIDATES)) {
    const start = earliestStart(state, of, { quotas: false, room: true });
    // What no number of ends gives room to would keep nodes idle for nothing.
    if (start === undefined) continue;
    hold(state, { of, nodes: new Set(start.nodes), due: start.at });
    return;
  }
}

function isUseful(state: SchedulerState, held: Held): boolean {
  if (held.of.pending.size === 0 || held.of.awake) return false;
  return [...held.nodes].every((node) => {
    const spec = state.nodes.specs[node];
    return spec?.ready === true && !spec.cordoned && (spec.drainAt === undefined || spec.drainAt > state.now);
  });
}

function isBefore(state: SchedulerState, a: JobClass, b: JobClass): boolean {
  return a.rank > b.rank || (a.rank === b.rank && state.jobs.before(a.pending.peek() ?? 0, b.pending.peek() ?? 0));
}
