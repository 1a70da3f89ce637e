import { earliestStart } from '../answers/forecast.ts';
import { blockOf } from '../deciding/admission.ts';
import type { JobClass, ScopeState } from '../state/entities.ts';
import { hold } from '../state/held.ts';
import { holdQuota } from '../state/quota-hold.ts';
import type { RunningJob } from '../state/running-job.ts';
import { countsUnder } from '../state/scope-tree.ts';
import type { SchedulerState } from '../state/state.ts';
import type { Held } from '../state/world.ts';

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
export function reserve(state: SchedulerState): void {
  if (state.policy.reserveAfterMs === undefined) return;
  if (state.held !== undefined && isUseful(state, state.held)) return;
  if (state.held !== undefined) hold(state, undefined);
  const ripe: JobClass[] = [];
  for (const of of state.order?.ripeForRoom(state.now) ?? []) {
    // What it sleeps on was so when it was last looked at; what stops it now decides.
    if (blockOf(state, of, of.least) === undefined) ripe.push(of);
    if (ripe.length === CANDIDATES) break;
  }
  for (const of of ripe) {
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
export function reserveQuotas(state: SchedulerState): void {
  if (state.policy.reserveAfterMs === undefined) return;
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
  const { order } = state;
  if (state.attention.busy || order === undefined) return;
  const first = new Map<ScopeState, JobClass>();
  for (const scope of order.changed) {
    if (state.quotaHolds.has(scope)) continue;
    for (const of of order.ripeIn(scope, state.now)) {
      if (stopping(of) !== scope) continue;
      first.set(scope, of);
      break;
    }
  }
  order.changed.clear();
  const byName = [...first].sort(([a], [b]) => (a.spec.name < b.spec.name ? -1 : 1));
  for (const [scope, of] of byName) {
    const among = (job: RunningJob): boolean => countsUnder(job.of.queue, scope);
    const start = earliestStart(state, of, { quotas: true, room: false, among });
    // For a job that no number of ends gives room to, quota would be kept for nothing.
    const placeable = start !== undefined && earliestStart(state, of, { quotas: false, room: true }) !== undefined;
    if (placeable) holdQuota(state, scope, { of, due: start.at });
    else order.changed.add(scope);
  }
}

function isUseful(state: SchedulerState, held: Held): boolean {
  if (held.of.pending.size === 0 || held.of.awake) return false;
  return [...held.nodes].every((node) => {
    const spec = state.nodes.specs[node];
    return spec?.ready === true && !spec.cordoned && (spec.drainAt === undefined || spec.drainAt > state.now);
  });
}
