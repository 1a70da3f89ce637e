import type { ScopeState } from '../entities.ts';
import { at } from '../quantities.ts';
import type { RunningJob } from '../running-job.ts';
import { guaranteeOf, isWithin, pathOf } from '../scope-tree.ts';

/**
 * Which running jobs a guarantee covers. A scope's jobs are taken in order (those that cannot be preempted, those that
 * a guarantee further down covers, higher priority, earlier start) as long as they fit into it. What is not covered runs on
 * loan and may be reclaimed; what is covered never is, so that no guarantee is broken to restore another.
 *
 * Source: the idea of nominal quota, borrowing and reclaim is Kueue's (cohorts); counting by jobs rather than by sums
 * is ours, since with sums a large job at the border breaks its own scope's guarantee when it goes.
 */
export class Coverage {
  readonly #running: readonly RunningJob[];
  readonly #covered = new Map<ScopeState, ReadonlySet<RunningJob>>();

  constructor(running: Iterable<RunningJob>) {
    this.#running = [...running];
  }

  /**
   * Whether a job runs on loan as seen from above `below`, the step of its path under which the claimant does not lie.
   * Without any guarantee on the way, whatever can be preempted is on loan.
   */
  isLoan(job: RunningJob, below: ScopeState): boolean {
    const top = guaranteedOnWay(job.of.queue, below).at(-1);
    return top === undefined ? job.of.preemptible : !this.#coveredIn(top).has(job);
  }

  #coveredIn(scope: ScopeState): ReadonlySet<RunningJob> {
    const known = this.#covered.get(scope);
    if (known !== undefined) return known;
    const inside = this.#running.filter((job) => isWithin(job.of.queue, scope));
    const further = new Set(
      inside.filter((job) => {
        const next = guaranteedOnWay(job.of.queue, scope).at(-2);
        return next !== undefined && this.#coveredIn(next).has(job);
      }),
    );
    const order = inside.toSorted(
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
    this.#covered.set(scope, covered);
    return covered;
  }
}

/** Scopes with a guarantee from a queue up to a scope, both included. */
function guaranteedOnWay(queue: ScopeState, upTo: ScopeState): readonly ScopeState[] {
  const path = pathOf(queue);
  return path.slice(0, path.indexOf(upTo) + 1).filter(({ hasGuarantee }) => hasGuarantee);
}

/** The first scope from a queue up that guarantees something of what a job asks for. */
export function judgeOf(queue: ScopeState, amounts: Float64Array): ScopeState | undefined {
  return pathOf(queue).find((scope) => scope.guarantee.some((amount, d) => amount !== Infinity && at(amounts, d) > 0));
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
  const way = guaranteedOnWay(queue, upTo).filter((scope) => judgeOf(scope, amounts) === scope);
  return way.length > 0 && way.every((scope) => isWithinGuarantee(scope, amounts));
}
