import type { JobClass, ScopeState } from '../state/entities.ts';
import { dominantShare, type ShareContext } from './fairness.ts';

/** Which waiting job is looked at next. */
export interface OrderPolicy {
  readonly name: string;
  /** The first of the candidates; each is the head of its class. */
  first(candidates: Candidates, context: ShareContext): JobClass | undefined;
}

/** Classes to choose from, by place in the tree. */
export interface Candidates {
  readonly roots: readonly ScopeState[];
  /** Number of candidates in a scope and below. */
  readonly in: (scope: ScopeState) => number;
  /** Candidates of a queue. */
  readonly of: (queue: ScopeState) => readonly JobClass[];
  /** Whether the oldest job of one class is older than that of another (ties by id). */
  readonly older: (a: JobClass, b: JobClass) => boolean;
}

/**
 * Down the tree to the scope with the lowest weighted dominant share. Within a project priority goes first, then the
 * share of its users, then age. Above projects priority is not compared: nobody gains by calling all jobs urgent.
 */
export const dominantShareOrder: OrderPolicy = {
  name: 'drf',
  first: (candidates, context) => {
    let scopes = candidates.roots;
    for (;;) {
      let best: ScopeState | undefined;
      let bestRank = 0;
      for (const scope of scopes) {
        if (candidates.in(scope) === 0) continue;
        const rank = scope.project === scope ? 0 : topRank(scope, candidates);
        if (best === undefined || rank > bestRank || (rank === bestRank && isPoorer(scope, best, context))) {
          best = scope;
          bestRank = rank;
        }
      }
      if (best === undefined) return undefined;
      if (best.children.length === 0) return oldestOf(candidates.of(best), candidates);
      scopes = best.children;
    }
  },
};

/** By priority, then age, whoever asks. */
export const submissionOrder: OrderPolicy = {
  name: 'submission',
  first: (candidates) => {
    const all: JobClass[] = [];
    const gather = (scopes: readonly ScopeState[]): void => {
      for (const scope of scopes) {
        if (candidates.in(scope) === 0) continue;
        if (scope.children.length === 0) all.push(...candidates.of(scope));
        else gather(scope.children);
      }
    };
    gather(candidates.roots);
    return oldestOf(all, candidates);
  },
};

function topRank(scope: ScopeState, candidates: Candidates): number {
  let rank = 0;
  for (const each of candidates.of(scope)) rank = Math.max(rank, each.rank);
  for (const child of scope.children) if (candidates.in(child) > 0) rank = Math.max(rank, topRank(child, candidates));
  return rank;
}

function isPoorer(a: ScopeState, b: ScopeState, context: ShareContext): boolean {
  const difference = dominantShare(a, context) - dominantShare(b, context);
  return difference < 0 || (difference === 0 && a.spec.name < b.spec.name);
}

function oldestOf(classes: readonly JobClass[], candidates: Candidates): JobClass | undefined {
  let best: JobClass | undefined;
  for (const each of classes) {
    if (best === undefined || each.rank > best.rank || (each.rank === best.rank && candidates.older(each, best))) {
      best = each;
    }
  }
  return best;
}
