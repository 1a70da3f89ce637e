import type { Job, Scope, Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { amounts, ancestors, DIMENSIONS, isPreemptible, leastOf, running, sizesOf, usage } from './checker.ts';

/* Who may have back what was lent, and from whom: the rules of guarantees once more, over plain data. */

const RANK = { low: 0, normal: 1, high: 2 };

/** The steps under the lowest scope that two queues share, on either side; undefined where one lies within the other. */
function sides(world: Snapshot, one: string, other: string): readonly [string, string] | undefined {
  const [a, b] = [one, other].map((queue) => ancestors(world, queue).map(({ name }) => name));
  const mine = a?.findLast((name) => b?.includes(name) === false);
  const theirs = b?.findLast((name) => a?.includes(name) === false);
  return mine === undefined || theirs === undefined ? undefined : [mine, theirs];
}

/** Scopes with any guarantee from a queue up to a scope. */
function guaranteed(world: Snapshot, queue: string, upTo: string): readonly Scope[] {
  const path = ancestors(world, queue);
  return path
    .slice(0, path.findIndex(({ name }) => name === upTo) + 1)
    .filter(({ guarantee }) => Object.keys(guarantee).length > 0);
}

/** Whether so much more lies within what a scope is guaranteed, as far as it is guaranteed any of it. */
function isWithin(scope: Scope, used: ReturnType<typeof usage>, more: ReturnType<typeof usage>): boolean {
  return DIMENSIONS.every((d) => more[d] === 0 || used[d] + more[d] <= (scope.guarantee[d] ?? Infinity));
}

/** Running jobs that a scope's guarantee covers. */
function covered(world: Snapshot, scope: Scope): ReadonlySet<string> {
  const inside = running(world).filter(({ queue }) => ancestors(world, queue).some(({ name }) => name === scope.name));
  const below = (job: Job): boolean => {
    const next = guaranteed(world, job.queue, scope.name).at(-2);
    return next !== undefined && covered(world, next).has(job.id);
  };
  const keys = new Map(
    inside.map((job) => [
      job,
      [isPreemptible(world, job) ? 1 : 0, below(job) ? 0 : 1, 2 - RANK[job.priority], job.running?.startedAt ?? 0],
    ]),
  );
  const order = inside.toSorted((a, b) => {
    const [one, other] = [keys.get(a) ?? [], keys.get(b) ?? []];
    const k = one.findIndex((key, at) => key !== other[at]);
    return k < 0 ? (a.id < b.id ? -1 : 1) : (one[k] ?? 0) - (other[k] ?? 0);
  });
  let kept: readonly Job[] = [];
  for (const job of order) {
    if (isWithin(scope, usage(world, scope.name, kept), amounts(world, job, sizesOf(job)))) kept = [...kept, job];
  }
  return new Set(kept.map(({ id }) => id));
}

/** Whether a waiting job, at its smallest size, may have a running job's place back by its guarantee. */
export function mayReclaim(world: Snapshot, claimant: Job, victim: Job): boolean {
  if (!world.policy.reclaim || !isPreemptible(world, victim)) return false;
  const apart = sides(world, claimant.queue, victim.queue);
  if (apart === undefined) return false;
  const [mine, theirs] = apart;
  const wants = amounts(world, claimant, leastOf(claimant));
  const judges = guaranteed(world, claimant.queue, mine).filter(({ guarantee }) =>
    DIMENSIONS.some((d) => guarantee[d] !== undefined && wants[d] > 0),
  );
  if (judges.length === 0 || !judges.every((scope) => isWithin(scope, usage(world, scope.name), wants))) return false;
  const shelter = guaranteed(world, victim.queue, theirs).at(-1);
  return shelter === undefined || !covered(world, shelter).has(victim.id);
}
