import { protectedUntil } from '../policies/preemption.ts';
import type { RunningJob } from '../state/running-job.ts';
import type { World } from '../state/world.ts';
import { wakeAgainst } from './contenders.ts';

/*
 * Minimum run times: while one lasts the job is not preempted. When it ends, the classes are woken that may preempt the
 * job.
 */

/** Wakes the classes that may preempt a job as soon as nothing protects it any more, which may be now or later. */
export function guard(state: World, job: RunningJob): void {
  if (!job.of.preemptible) return;
  const until = protectedUntil(job, state.policy.minRunMs);
  if (until > state.now) state.guards.add(until, job);
  else wakeAgainst(state, [job]);
}

/** Does so for all jobs that nothing protects by now. */
export function unguard(state: World): void {
  const over = state.guards.take(state.now).filter((job) => state.running.get(job.slot) === job);
  const isOver = (job: RunningJob): boolean => protectedUntil(job, state.policy.minRunMs) <= state.now;
  for (const job of over) if (!isOver(job)) guard(state, job);
  wakeAgainst(state, over.filter(isOver));
}
