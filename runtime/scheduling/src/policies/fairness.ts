import { addTo, at, SHARED_DIMENSIONS } from '../model/quantities.ts';
import type { ScopeState } from '../state/entities.ts';

export interface ShareContext {
  readonly now: number;
  readonly capacity: Float64Array;
  /** Half-life of past use, 0: it does not count. */
  readonly halfLifeMs: number;
  readonly historyWeight: number;
}

/**
 * A scope's weighted dominant share: of what nodes have, the largest part that its jobs hold (and held lately), over its
 * weight. The scope with the lowest goes first, level by level of the tree, which gives siblings resources in
 * proportion to their weights.
 *
 * Sources: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011; level by level: Bhattacharya et al., "Hierarchical
 * Scheduling for Diverse Datacenter Workloads", SoCC 2013; decay by half-life: Slurm, priority/multifactor.
 */
export function dominantShare(scope: ScopeState, context: ShareContext): number {
  if (scope.share >= 0 && scope.shareAt === context.now) return scope.share;
  const decay = context.halfLifeMs === 0 ? 0 : decayed(scope, context);
  let share = 0;
  for (const d of SHARED_DIMENSIONS) {
    const capacity = at(context.capacity, d);
    if (capacity === 0) continue;
    let use = at(scope.used, d);
    if (context.halfLifeMs > 0) {
      use += context.historyWeight * (at(scope.history, d) * decay + at(scope.used, d) * (1 - decay));
    }
    share = Math.max(share, use / capacity);
  }
  scope.share = share / scope.spec.weight;
  scope.shareAt = context.now;
  return scope.share;
}

function decayed(scope: ScopeState, context: ShareContext): number {
  return 2 ** (-(context.now - scope.historyAt) / context.halfLifeMs);
}

/** Brings the past use of a queue and all above it up to now; to be called before what they use changes. */
export function recordUse(queue: ScopeState, context: ShareContext): void {
  if (context.halfLifeMs === 0) return;
  for (let scope: ScopeState | undefined = queue; scope !== undefined; scope = scope.parent) {
    const decay = decayed(scope, context);
    for (let d = 0; d < scope.history.length; d += 1) scope.history[d] = at(scope.history, d) * decay;
    addTo(
      scope.history,
      scope.used.map((amount) => amount * (1 - decay)),
      1,
    );
    scope.historyAt = context.now;
  }
}
