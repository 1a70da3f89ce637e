import type { PreemptionContext } from './policies/preemption.ts';
import type { World } from './world.ts';

/** By which rights jobs move others aside now. */
export function rightsOf(state: World): PreemptionContext {
  const { preemption, reclaim, minRunMs } = state.policy;
  const { now, loans, roots } = state;
  return { now, minRunMs, preemption, reclaim: reclaim && state.hasGuarantees, loans, roots };
}
