import { at } from '../model/quantities.ts';
import type { ScopeState } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import { guaranteeOf } from '../state/scope-tree.ts';

/** Running jobs of a scope and those below it, as far as lending goes. */
interface Lent {
  readonly running: Set<RunningJob>;
  /** Those that the scope's own guarantee covers; undefined: to be computed. */
  covered: ReadonlySet<RunningJob> | undefined;
  /** What was covered when it was last computed. */
  before: ReadonlySet<RunningJob>;
  /** Those on loan as seen from above; undefined: to be computed. */
  loans: readonly RunningJob[] | undefined;
}

/**
 * Which running jobs a guarantee covers. A scope's jobs are taken in order (those that cannot be preempted, those that
 * a guarantee further down covers, higher priority, earlier start) as long as they fit into it. What is not covered runs on
 * loan and may be reclaimed; what is covered never is, so that no guarantee is broken to restore another.
 *
 * It is told of every job that starts and ends, and computes anew only scopes where one did.
 *
 * Source: the idea of nominal quota, borrowing and reclaim is Kueue's (cohorts); counting by jobs rather than by sums
 * is ours, since with sums a large job at the border breaks its own scope's guarantee when it goes.
 */
export class Loans {
  readonly #scopes = new Map<ScopeState, Lent>();
  /** Guaranteed scopes whose covered jobs are to be computed. */
  readonly #stale = new Set<ScopeState>();
  /** Preemptible jobs that a guarantee has ceased to cover while they run, since somebody last asked. */
  readonly #uncovered = new Set<RunningJob>();

  started(job: RunningJob): void {
    this.#change(job, (running) => running.add(job));
  }

  ended(job: RunningJob): void {
    this.#uncovered.delete(job);
    this.#change(job, (running) => running.delete(job));
  }

  /** Running jobs of a scope and those below it. */
  running(scope: ScopeState): ReadonlySet<RunningJob> {
    return this.#of(scope).running;
  }

  /**
   * Whether a job runs on loan as seen from above `below`, the step of its path under which the claimant does not lie.
   * Without any guarantee on the way, whatever can be preempted is on loan.
   */
  isLoan(job: RunningJob, below: ScopeState): boolean {
    const top = job.of.queue.guaranteed.findLast(({ depth }) => depth >= below.depth);
    return top === undefined ? job.of.preemptible : !this.#covered(top).has(job);
  }

  /** Preemptible jobs in a scope and below that run on loan as seen from above it. */
  in(scope: ScopeState): readonly RunningJob[] {
    const lent = this.#of(scope);
    if (lent.loans !== undefined) return lent.loans;
    const among = scope.hasGuarantee ? this.#covered(scope) : undefined;
    const loans =
      among === undefined && scope.children.length > 0
        ? scope.children.flatMap((child) => this.in(child))
        : [...lent.running].filter((job) => job.of.preemptible && among?.has(job) !== true);
    lent.loans = loans;
    return loans;
  }

  /** Jobs that have come to be on loan though they did not just start; each is told once. */
  takeUncovered(): readonly RunningJob[] {
    for (const scope of this.#stale) this.#covered(scope);
    const jobs = [...this.#uncovered];
    this.#uncovered.clear();
    return jobs;
  }

  #of(scope: ScopeState): Lent {
    let lent = this.#scopes.get(scope);
    if (lent === undefined) {
      lent = { running: new Set(), covered: undefined, before: new Set(), loans: undefined };
      this.#scopes.set(scope, lent);
    }
    return lent;
  }

  #change(job: RunningJob, change: (running: Set<RunningJob>) => void): void {
    for (let scope: ScopeState | undefined = job.of.queue; scope !== undefined; scope = scope.parent) {
      const lent = this.#of(scope);
      change(lent.running);
      lent.loans = undefined;
      if (!scope.hasGuarantee) continue;
      lent.covered = undefined;
      this.#stale.add(scope);
    }
  }

  #covered(scope: ScopeState): ReadonlySet<RunningJob> {
    const lent = this.#of(scope);
    if (lent.covered !== undefined) return lent.covered;
    const covered = this.#cover(scope, lent.running);
    for (const job of lent.before)
      if (job.of.preemptible && lent.running.has(job) && !covered.has(job)) this.#uncovered.add(job);
    lent.covered = covered;
    lent.before = covered;
    this.#stale.delete(scope);
    return covered;
  }

  #cover(scope: ScopeState, running: ReadonlySet<RunningJob>): ReadonlySet<RunningJob> {
    const further = new Set(
      [...running].filter((job) => {
        const { guaranteed } = job.of.queue;
        const next = guaranteed[guaranteed.indexOf(scope) - 1];
        return next !== undefined && this.#covered(next).has(job);
      }),
    );
    const order = [...running].sort(
      (a, b) =>
        Number(a.of.preemptible) - Number(b.of.preemptible) ||
        Number(further.has(b)) - Number(further.has(a)) ||
        b.of.rank - a.of.rank ||
        a.startedAt - b.startedAt ||
        (a.id < b.id ? -1 : 1),
    );
    const used = new Float64Array(5);
    const covered = new Set<RunningJob>();
    for (const job of order) {
      let fits = true;
      for (let d = 0; d < 5; d += 1) {
        const guarantee = guaranteeOf(scope, d);
        if (guarantee !== undefined && at(job.amounts, d) > 0 && at(used, d) + at(job.amounts, d) > guarantee)
          fits = false;
      }
      if (!fits) continue;
      for (let d = 0; d < 5; d += 1) used[d] = at(used, d) + at(job.amounts, d);
      covered.add(job);
    }
    return covered;
  }
}

/** The first scope from a queue up that guarantees something of what a job asks for. */
export function judgeOf(queue: ScopeState, amounts: Float64Array): ScopeState | undefined {
  return queue.guaranteed.find((scope) => guarantees(scope, amounts));
}

/** Whether a scope guarantees something of what a job asks for. */
export function guarantees(scope: ScopeState, amounts: Float64Array): boolean {
  for (let d = 0; d < 5; d += 1) if (at(scope.guarantee, d) !== Infinity && at(amounts, d) > 0) return true;
  return false;
}

/** Whether amounts more would still lie within a scope's guarantee. */
export function isWithinGuarantee(scope: ScopeState, amounts: Float64Array): boolean {
  for (let d = 0; d < 5; d += 1) {
    if (at(amounts, d) > 0 && at(scope.used, d) + at(amounts, d) > at(scope.guarantee, d)) return false;
  }
  return true;
}

/**
 * Whether a job lies within the guarantees from its queue up to `upTo`: there is one for something that it asks for, and
 * none would be exceeded. Such a job may have back what was lent to scopes beside `upTo`.
 */
export function isEntitled(queue: ScopeState, amounts: Float64Array, upTo: ScopeState): boolean {
  const way = queue.guaranteed.filter((scope) => scope.depth >= upTo.depth && guarantees(scope, amounts));
  return way.length > 0 && way.every((scope) => isWithinGuarantee(scope, amounts));
}
