import { at } from '../model/quantities.ts';
import type { JobClass, ScopeState } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import { divergence } from '../state/scope-tree.ts';
import { isEntitled, isWithinGuarantee, type Loans } from './lending.ts';

/** By what right a job is preempted. */
export type PreemptionRule = 'priority' | 'reclaim';

export interface Victim {
  readonly job: RunningJob;
  readonly rule: PreemptionRule;
  /** What is lost by ending it now, see {@link victimCost}. */
  readonly cost: number;
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
 * Whom a waiting job may preempt now, in no order.
 *
 * priority: within its project, preemptible jobs of lower priority. reclaim: if it lies within its scope's guarantee,
 * preemptible jobs that run on loan beside that scope. A job is left alone for its minimum run time, and in any case at
 * the instant of its start, so that a cycle starts and preempts each job at most once.
 *
 * Sources: Kueue (withinClusterQueue: LowerPriority, reclaimWithinCohort: Any); minimum run time: KAI-Scheduler.
 */
export function victimsFor(waiting: JobClass, context: PreemptionContext): readonly Victim[] {
  const claim = new Claim(waiting, context);
  const victims: Victim[] = [];
  for (const jobs of claim.reach())
    for (const job of jobs) {
      const victim = claim.victim(job);
      if (victim !== undefined) victims.push(victim);
    }
  return victims;
}

/** The rights of one waiting job against any running one. It knows the state of one instant, and is not kept. */
export class Claim {
  readonly #of: JobClass;
  readonly #context: PreemptionContext;
  /** By queue of the running job: the step of its path from which it is seen, if the waiting one is entitled against it. */
  readonly #sides = new Map<ScopeState, ScopeState | undefined>();

  constructor(of: JobClass, context: PreemptionContext) {
    this.#of = of;
    this.#context = context;
  }

  /** Whether it may have back what was lent. */
  get reclaims(): boolean {
    const { judge, least } = this.#of;
    return this.#context.reclaim && judge !== undefined && isWithinGuarantee(judge, least);
  }

  /** Running jobs among which all are that may be preempted, none of them twice. */
  reach(): readonly Iterable<RunningJob>[] {
    const { preemption, loans, roots } = this.#context;
    const { queue, rank, least } = this.#of;
    const { project } = queue;
    const outranked = preemption && project.preemptible.some((jobs, below) => jobs > 0 && below < rank);
    const reach: Iterable<RunningJob>[] = outranked ? [loans.running(project)] : [];
    if (!this.reclaims) return reach;
    for (const scope of queue.path) {
      // What lies in the project is there already.
      if ((outranked && scope.depth > project.depth) || !isEntitled(queue, least, scope)) continue;
      for (const beside of scope.parent?.children ?? roots) if (beside !== scope) reach.push(loans.in(beside));
    }
    return reach;
  }

  /** By which right a job may be preempted, protected or not; undefined: by none. */
  against(job: RunningJob): PreemptionRule | undefined {
    if (!job.of.preemptible) return undefined;
    if (this.#context.preemption && isOutranked(job, this.#of)) return 'priority';
    const below = this.reclaims ? this.#seenFrom(job.of.queue) : undefined;
    return below !== undefined && this.#context.loans.isLoan(job, below) ? 'reclaim' : undefined;
  }

  /** A job that may be preempted now; undefined where it may not, or is protected still. */
  victim(job: RunningJob): Victim | undefined {
    const { now, minRunMs } = this.#context;
    const until = protectedUntil(job, minRunMs);
    const rule = until > now ? undefined : this.against(job);
    return rule === undefined ? undefined : { job, rule, cost: victimCost(job, now) };
  }

  #seenFrom(queue: ScopeState): ScopeState | undefined {
    if (this.#sides.has(queue)) return this.#sides.get(queue);
    const sides = divergence(this.#of.queue, queue);
    const below = sides !== undefined && isEntitled(this.#of.queue, this.#of.least, sides.a) ? sides.b : undefined;
    this.#sides.set(queue, below);
    return below;
  }
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
