import { blockOf } from '../admission.ts';
import type { JobClass, ScopeState } from '../entities.ts';
import { earliestStart } from '../forecast.ts';
import { hold } from '../held.ts';
import { holdQuota } from '../quota-hold.ts';
import type { RunningJob } from '../running-job.ts';
import { isWithin } from '../scope-tree.ts';
import type { SchedulerState } from '../state.ts';
import type { Timers } from '../timers.ts';
import type { Held } from '../world.ts';

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
    if (slot === undefined) continue;
    const at = state.jobs.submittedAt(slot) + after;
    if (at > state.now) soonest = Math.min(soonest, at);
    // What it sleeps on was so when it was last looked at; what stops it now decides.
    else if (blockOf(state, of, of.least) === undefined) ripe.push(of);
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

/**
 * The same for quotas: of the classes that one scope's quota or limit stops, the oldest job of the highest priority that has
 * waited so long has what is freed of it kept, or a stream of small jobs would pass it for ever.
 */
export function reserveQuotas(state: SchedulerState, timers: Timers): void {
  const after = state.policy.reserveAfterMs;
  if (after === undefined) return;
  const stopping = (of: JobClass): ScopeState | undefined => {
    const block = blockOf(state, of, of.least);
    const stops = block?.kind === 'quota' && (block.quota.rule === 'quota' || block.quota.rule === 'limit');
    // What is more than the whole quota would keep it idle for nothing.
    return stops && block.quota.needed <= block.quota.cap ? block.quota.scope : undefined;
  };
  for (const [scope, { of }] of [...state.quotaHolds]) {
    if (of.pending.size > 0 && !of.awake && stopping(of) === scope) continue;
    holdQuota(state, scope, undefined);
  }
  if (state.attention.busy) return;
  const first = new Map<ScopeState, JobClass>();
  let soonest = Infinity;
  for (const of of state.attention.sleepers.all) {
    const slot = of.pending.peek();
    if (slot === undefined) continue;
    const at = state.jobs.submittedAt(slot) + after;
    if (at > state.now) {
      soonest = Math.min(soonest, at);
      continue;
    }
    const scope = stopping(of);
    if (scope === undefined || state.quotaHolds.has(scope)) continue;
    const best = first.get(scope);
    if (best === undefined || isBefore(state, of, best)) first.set(scope, of);
  }
  if (soonest < (timers.reservations.next ?? Infinity)) timers.reservations.add(soonest, null);
  for (const [scope, of] of first) {
    const among = (job: RunningJob): boolean => isWithin(job.of.queue, scope);
    const start = earliestStart(state, of, { quotas: true, room: false, among });
    // For a job that no number of ends gives room to, quota would be kept for nothing.
    const placeable = start !== undefined && earliestStart(state, of, { quotas: false, room: true }) !== undefined;
    if (placeable) holdQuota(state, scope, { of, due: start.at });
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
