import type { JobClass, ScopeState } from '../entities.ts';
import { at } from '../quantities.ts';
import type { RunningJob } from '../running-job.ts';
import { divergence } from '../scope-tree.ts';
import { isEntitled, isWithinGuarantee, type Loans } from './lending.ts';

/** By what right a job gives way. */
export type PreemptionRule = 'priority' | 'reclaim';

export interface Victim {
  readonly job: RunningJob;
  readonly rule: PreemptionRule;
  /** What is lost by ending it now, see {@link victimCost}. */
  readonly cost: number;
  /** Until then its minimum run time protects it. */
  readonly protectedUntil: number;
}

export interface PreemptionContext {
  readonly now: number;
  readonly minRunMs: number;
  readonly preemption: boolean;
  readonly reclaim: boolean;
  readonly loans: Loans;
  /** The scopes at the top. */
  readonly roots: readonly ScopeState[];
}

/**
 * Whom a waiting job may move aside, in no order, protected ones included.
 *
 * priority: within its project, preemptible jobs of lower priority. reclaim: if it lies within its scope's guarantee,
 * preemptible jobs that run on loan beside that scope. A job that started at this instant is left alone, so that a
 * cycle starts and preempts each job at most once.
 *
 * Sources: Kueue (withinClusterQueue: LowerPriority, reclaimWithinCohort: Any); minimum run time: KAI-Scheduler.
 */
export function victimsFor(waiting: JobClass, amounts: Float64Array, context: PreemptionContext): readonly Victim[] {
  const { now, minRunMs, loans } = context;
  const victims: Victim[] = [];
  const take = (job: RunningJob, rule: PreemptionRule): void => {
    victims.push({ job, rule, cost: victimCost(job, now), protectedUntil: protectedUntil(job, minRunMs) });
  };
  const { project } = waiting.queue;
  if (context.preemption && project.preemptible.some((jobs, rank) => jobs > 0 && rank < waiting.rank)) {
    for (const job of loans.running(project)) if (isOutranked(job, waiting)) take(job, 'priority');
  }
  if (!context.reclaim || waiting.judge === undefined || !isWithinGuarantee(waiting.judge, amounts)) return victims;
  for (const scope of waiting.queue.path) {
    if (!isEntitled(waiting.queue, amounts, scope)) continue;
    for (const beside of scope.parent?.children ?? context.roots) {
      if (beside === scope) continue;
      for (const job of loans.in(beside)) {
        if (!(context.preemption && isOutranked(job, waiting))) take(job, 'reclaim');
      }
    }
  }
  return victims;
}

/** By which right a waiting job may move a running one aside, whether or not that is protected yet; undefined: by none. */
export function ruleAgainst(
  job: RunningJob,
  waiting: JobClass,
  amounts: Float64Array,
  context: PreemptionContext,
): PreemptionRule | undefined {
  if (context.preemption && isOutranked(job, waiting)) return 'priority';
  if (!context.reclaim || !job.of.preemptible) return undefined;
  const sides = divergence(waiting.queue, job.of.queue);
  if (sides === undefined || !isEntitled(waiting.queue, amounts, sides.a)) return undefined;
  return context.loans.isLoan(job, sides.b) ? 'reclaim' : undefined;
}

function isOutranked({ of }: RunningJob, waiting: JobClass): boolean {
  return of.preemptible && of.queue.project === waiting.queue.project && of.rank < waiting.rank;
}

/** The cheapest first, of equal ones by id. */
export function cheapestFirst(victims: readonly Victim[]): readonly Victim[] {
  return [...victims].sort((a, b) => a.cost - b.cost || (a.job.id < b.job.id ? -1 : 1));
}

/** Until when nobody ends a job: its minimum run time, and in any case the instant at which it started. */
export function protectedUntil(job: RunningJob, minRunMs: number): number {
  return job.startedAt + Math.max(1, minRunMs);
}

/** Lower priority first, whatever is lost; then the work that is lost. */
export function victimCost(job: RunningJob, now: number): number {
  return job.of.rank * 1e9 + lostWork(job, now);
}

/**
 * What is lost by ending a job now: its work so far, in seconds of one device (a core counts as a sixteenth), and a fixed
 * second for each replica that has to be started again.
 */
export function lostWork(job: RunningJob, now: number): number {
  const seconds = (now - job.startedAt) / 1000;
  const devices = at(job.amounts, 3) / 1000 + at(job.amounts, 1) / 16_000;
  return seconds * devices + job.pods.length;
}

/** Subsets looked at on one node before the cheapest so far is taken. */
const SUBSET_STEPS = 4096;

/**
 * The cheapest subset, in cost, that makes `enough` true; undefined where even all do not, or none is cheaper than
 * `below`. `take` and `put` tell what is in the subset. Branch and bound, cheapest first.
 */
export function cheapestSubset<V extends { readonly cost: number }>(
  victims: readonly V[],
  below: number,
  take: (victim: V) => void,
  put: (victim: V) => void,
  enough: () => boolean,
  most = SUBSET_STEPS,
): readonly V[] | undefined {
  let best: readonly V[] | undefined;
  let limit = below;
  let steps = 0;
  const chosen: V[] = [];
  const visit = (from: number, cost: number): void => {
    if (cost >= limit || steps >= most) return;
    steps += 1;
    if (enough()) {
      best = [...chosen];
      limit = cost;
      return;
    }
    for (let v = from; v < victims.length; v += 1) {
      const victim = victims[v] as V;
      if (cost + victim.cost >= limit) break;
      take(victim);
      chosen.push(victim);
      visit(v + 1, cost + victim.cost);
      chosen.pop();
      put(victim);
    }
  };
  visit(0, 0);
  return best;
}
