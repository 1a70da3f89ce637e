import { guarantees, isWithinGuarantee } from '../policies/lending.ts';
import type { JobClass, ScopeState, Stake } from '../state/entities.ts';

/**
 * What jobs of these amounts have at stake in the guarantees from their queue up, the nearest first. All that ask for the same
 * share a stake, so that a change of what a scope uses is weighed once for all of them.
 */
export function stakesOf(queue: ScopeState, amounts: Float64Array): readonly Stake[] {
  const key = amounts.join();
  return queue.guaranteed
    .filter((scope) => guarantees(scope, amounts))
    .map((scope) => {
      const known = scope.stakes.get(key);
      if (known !== undefined) return known;
      const within = isWithinGuarantee(scope, amounts);
      const made: Stake = { scope, amounts, within, asleep: new Set(), judged: new Set() };
      scope.stakes.set(key, made);
      return made;
    });
}

/** Those that sleep, by what they have at stake. */
export class Stakes {
  /** Stakes within their guarantee that are the nearest of some class that sleeps. */
  readonly entitled = new Set<Stake>();

  add(of: JobClass): void {
    for (const stake of of.stakes) stake.asleep.add(of);
    const [nearest] = of.stakes;
    if (nearest === undefined) return;
    nearest.judged.add(of);
    if (nearest.within) this.entitled.add(nearest);
  }

  remove(of: JobClass): void {
    for (const stake of of.stakes) stake.asleep.delete(of);
    const [nearest] = of.stakes;
    if (nearest === undefined) return;
    nearest.judged.delete(of);
    if (nearest.judged.size === 0) this.entitled.delete(nearest);
  }

  /** What a queue and those above it use has changed. Returns the stakes that lie within their guarantee now and did not before. */
  weigh(queue: ScopeState): readonly Stake[] {
    const gained: Stake[] = [];
    for (const scope of queue.guaranteed) {
      for (const stake of scope.stakes.values()) {
        const within = isWithinGuarantee(scope, stake.amounts);
        if (within === stake.within) continue;
        stake.within = within;
        if (!within) this.entitled.delete(stake);
        else {
          if (stake.judged.size > 0) this.entitled.add(stake);
          gained.push(stake);
        }
      }
    }
    return gained;
  }
}
