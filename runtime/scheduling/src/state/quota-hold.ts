import type { Reservation } from '../model/model.ts';
import { at, DIMENSIONS } from '../model/quantities.ts';
import type { QuotaBlock } from '../policies/quota.ts';
import { isEntitled } from '../waking/rights.ts';
import type { JobClass, ScopeState } from './entities.ts';
import type { QuotaHold, World } from './world.ts';

export function holdQuota(state: World, scope: ScopeState, hold: QuotaHold | undefined): void {
  if (hold !== undefined) {
    state.quotaHolds.set(scope, hold);
    return;
  }
  state.quotaHolds.delete(scope);
  state.order?.changed.add(scope);
  state.attention.wakeAll(state.attention.sleepers.onScope(scope));
}

/**
 * The part of a quota that a class cannot have, since another class has waited longer for it. It is not kept from a class of higher priority,
 * from one within a guarantee of its own, or from one whose life-span ends before the quota is due.
 */
export function keptFrom(state: World, of: JobClass, amounts: Float64Array): QuotaBlock | undefined {
  if (state.quotaHolds.size === 0) return undefined;
  for (const scope of of.queue.charged) {
    const hold = state.quotaHolds.get(scope);
    if (hold === undefined || hold.of === of || of.rank > hold.of.rank) continue;
    const d = scarceFor(scope, hold.of);
    if (d === undefined || at(amounts, d) === 0 || isEntitled(of)) continue;
    const lifeSpan = of.template.lifeSpanMs;
    const endsBefore = lifeSpan !== undefined && hold.due !== undefined && state.now + lifeSpan <= hold.due;
    if (state.policy.backfill && endsBefore) continue;
    const cap = Math.min(at(scope.quota, d), at(scope.limit, d));
    return {
      scope,
      rule: 'kept',
      dimension: DIMENSIONS[d] ?? 'jobs',
      used: at(scope.used, d),
      cap,
      needed: at(amounts, d),
    };
  }
  return undefined;
}

/** The dimension in which a scope's quota or limit has too little left for the smallest size of a class's jobs. */
function scarceFor({ used, quota, limit }: ScopeState, { least }: JobClass): number | undefined {
  for (let d = 0; d < 5; d += 1) {
    if (at(least, d) > 0 && at(used, d) + at(least, d) > Math.min(at(quota, d), at(limit, d))) return d;
  }
  return undefined;
}

export function quotaReservations(state: World): readonly Reservation[] {
  return [...state.quotaHolds]
    .flatMap(([scope, { of, due }]) => {
      const slot = of.pending.peek();
      if (slot === undefined) return [];
      const job = state.jobs.ids[slot] as string;
      return [{ job, nodes: [], scope: scope.spec.name, ...(due === undefined ? {} : { due }) }];
    })
    .sort((a, b) => (a.scope < b.scope ? -1 : 1));
}
