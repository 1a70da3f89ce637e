import { isWithinGuarantee } from '../policies/lending.ts';
import type { PreemptionContext } from '../policies/preemption.ts';
import type { JobClass } from '../state/entities.ts';
import type { World } from '../state/world.ts';

/** By which rights jobs preempt others now. */
export function rightsOf(state: World): PreemptionContext {
  const { preemption, reclaim, minRunMs } = state.policy;
  const { now, loans, roots } = state;
  return { now, minRunMs, preemption, reclaim: reclaim && state.hasGuarantees, loans, roots };
}

/** Whether there may be jobs that a class may preempt. */
export function mayPreempt(state: World, of: JobClass): boolean {
  if (state.preemptible.size === 0) return false;
  const { preemptible } = of.queue.project;
  if (state.policy.preemption && preemptible.some((jobs, rank) => rank < of.rank && jobs > 0)) return true;
  return state.policy.reclaim && isEntitled(of);
}

/** Whether the smallest size of a class's jobs lies within its guarantee. */
export function isEntitled(of: JobClass): boolean {
  return of.judge !== undefined && isWithinGuarantee(of.judge, of.least);
}
