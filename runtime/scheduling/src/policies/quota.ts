import { at, DIMENSIONS, type Dimension } from '../model/quantities.ts';
import type { ScopeState } from '../state/entities.ts';
import { guaranteeOf } from '../state/scope-tree.ts';

/** What of whom stops a job. */
export interface QuotaBlock {
  readonly scope: ScopeState;
  /**
   * quota, limit: the scope would exceed it. guarantee: a job that cannot be preempted would run on what is lent.
   * remainder: the same for scopes without a guarantee, against what their siblings' guarantees leave. kept: what is free is
   * kept for a job that has waited longer.
   */
  readonly rule: 'quota' | 'limit' | 'guarantee' | 'remainder' | 'kept' | 'energy';
  readonly dimension: Dimension;
  readonly used: number;
  readonly cap: number;
  readonly needed: number;
}

/** What the rules are applied to. */
export interface QuotaContext {
  readonly capacity: Float64Array;
  readonly roots: readonly ScopeState[];
  readonly quotas: boolean;
  /** Guarantees are kept by reclaiming, so that only preemptible jobs may run on what is lent. */
  readonly lending: boolean;
}

/**
 * The first rule, from the queue up and then of its person, that forbids a job of these amounts; undefined where none does. `idle`: though nothing ran.
 *
 * Hierarchical quotas with lending follow Kueue's cohorts (nominal quota = guarantee, borrowing limit = limit); that
 * non-preemptible jobs stay within guarantees is KAI-Scheduler's rule, without which what is lent could not be had back.
 */
export function tryQuotaBlock(
  queue: ScopeState,
  amounts: Float64Array,
  preemptible: boolean,
  context: QuotaContext,
  idle = false,
): QuotaBlock | undefined {
  if (!context.quotas) return undefined;
  for (const scope of queue.charged) {
    for (let d = 0; d < 5; d += 1) {
      const needed = at(amounts, d);
      if (needed === 0) continue;
      const used = at(scope.used, d);
      const then = (idle ? 0 : used) + needed;
      if (then > at(scope.quota, d)) return block(scope, 'quota', d, used, at(scope.quota, d), needed);
      if (then > at(scope.limit, d)) return block(scope, 'limit', d, used, at(scope.limit, d), needed);
      if (preemptible || !context.lending || scope.spec.kind === 'person') continue;
      const guarantee = guaranteeOf(scope, d);
      if (guarantee !== undefined) {
        const firm = at(scope.firm, d);
        if ((idle ? 0 : firm) + needed > guarantee) return block(scope, 'guarantee', d, firm, guarantee, needed);
        continue;
      }
      const rest = remainder(scope, d, context);
      if (rest !== undefined && (idle ? 0 : rest.firm) + needed > rest.left) {
        return block(scope, 'remainder', d, rest.firm, Math.max(0, rest.left), needed);
      }
    }
  }
  return undefined;
}

function block(
  scope: ScopeState,
  rule: QuotaBlock['rule'],
  d: number,
  used: number,
  cap: number,
  needed: number,
): QuotaBlock {
  return { scope, rule, dimension: DIMENSIONS[d] ?? 'jobs', used, cap, needed };
}

/**
 * What siblings' guarantees leave to scopes that have none, and what those hold firmly. Undefined where no sibling has
 * a guarantee, or where the parent's own share is not known.
 */
function remainder(
  scope: ScopeState,
  d: number,
  context: QuotaContext,
): { readonly left: number; readonly firm: number } | undefined {
  const siblings = scope.parent?.children ?? context.roots;
  let guaranteed = 0;
  let some = false;
  let firm = 0;
  for (const sibling of siblings) {
    const guarantee = guaranteeOf(sibling, d);
    if (guarantee === undefined) firm += at(sibling.firm, d);
    else {
      some = true;
      guaranteed += guarantee;
    }
  }
  if (!some) return undefined;
  const whole =
    scope.parent === undefined
      ? d === 0 || d === 4
        ? undefined
        : at(context.capacity, d)
      : guaranteeOf(scope.parent, d);
  return whole === undefined ? undefined : { left: whole - guaranteed, firm };
}
