import { type Admission, blockOf, placeJob, shrunk } from './admission.ts';
import type { JobClass } from './entities.ts';
import { mayUseClosed } from './held.ts';
import { amountsOf } from './job-class.ts';
import { giveBack } from './policies/gang.ts';
import type { Pod } from './policies/gang-request.ts';
import { Coverage } from './policies/lending.ts';
import { cheapestSubset, type Victim, victimsFor } from './policies/preemption.ts';
import type { RunningJob } from './running-job.ts';
import type { SchedulerState } from './state.ts';
import { moveForTrial } from './trial.ts';

/** Who gives way, and the places taken for the job once they are gone. The victims are still booked as running. */
export interface Preemption {
  readonly victims: readonly Victim[];
  readonly sizes: readonly number[];
  readonly pods: readonly Pod[];
}

export type PreemptionAnswer =
  | Preemption
  /** Nobody: at this instant, or before `retryAt`, when a minimum run time ends that protects whom it would take. */
  | { readonly retryAt: number | undefined };

/** Looks for the cheapest jobs to move aside so that the head of a class can start at its smallest size. */
export function tryPreempt(state: SchedulerState, of: JobClass): PreemptionAnswer {
  const spare = of.groups.reduce((sum, { count, min }) => sum + count - min, 0);
  const sizes = shrunk(of, spare);
  const amounts = amountsOf(of.groups, sizes);
  let coverage: Coverage | undefined;
  const victims = victimsFor(of, amounts, {
    now: state.now,
    minRunMs: state.policy.minRunMs,
    preemption: state.policy.preemption,
    reclaim: state.policy.reclaim && state.hasGuarantees,
    preemptible: state.preemptible,
    coverage: () => {
      coverage ??= new Coverage(state.running.values());
      return coverage;
    },
  });
  if (victims.length === 0) return { retryAt: undefined };
  const ready = victims.filter(({ protectedUntil }) => protectedUntil <= state.now);
  const search = new Search(state, of, sizes, amounts);
  const found = search.cheapest(ready);
  if (found !== undefined) return { ...found, sizes };
  const guarded = victims.filter(({ protectedUntil }) => protectedUntil > state.now);
  if (guarded.length === 0 || !search.possible(victims)) return { retryAt: undefined };
  return { retryAt: Math.min(...guarded.map(({ protectedUntil }) => protectedUntil)) };
}

/** So many victims of a gang, or of a job that quotas stop, are searched through for the cheapest subset. */
const EXACT_VICTIMS = 10;

/** Trial removal of running jobs: what it takes away it puts back. */
class Search {
  readonly #state: SchedulerState;
  readonly #of: JobClass;
  readonly #sizes: readonly number[];
  readonly #amounts: Float64Array;

  constructor(state: SchedulerState, of: JobClass, sizes: readonly number[], amounts: Float64Array) {
    this.#state = state;
    this.#of = of;
    this.#sizes = sizes;
    this.#amounts = amounts;
  }

  possible(victims: readonly Victim[]): boolean {
    return this.#without(victims, () => this.#enough());
  }

  cheapest(
    victims: readonly Victim[],
  ): { readonly victims: readonly Victim[]; readonly pods: readonly Pod[] } | undefined {
    if (victims.length === 0) return undefined;
    const single = this.#of.groups.length === 1 && this.#sizes[0] === 1;
    const roomOnly = blockOf(this.#state, this.#of, this.#amounts) === undefined;
    const chosen = single && roomOnly ? this.#onOneNode(victims) : this.#anywhere(victims);
    if (chosen === undefined) return undefined;
    // Placed while they are away; the caller ends them for good, then books these places.
    const pods = this.#without(chosen, () => placeJob(this.#state, this.#of, this.#sizes));
    return pods === undefined ? undefined : { victims: chosen, pods };
  }

  /** Of every node the cheapest subset of its victims; of nodes the one where that is cheapest. */
  #onOneNode(victims: readonly Victim[]): readonly Victim[] | undefined {
    const state = this.#state;
    const shape = this.#of.groups[0]?.shape;
    const index = shape === undefined ? undefined : state.indices.get(shape.key);
    if (shape === undefined || index === undefined) return undefined;
    index.refresh(state.now);
    const byNode = new Map<number, Victim[]>();
    for (const victim of victims) {
      for (const node of new Set(victim.job.pods.map((pod) => pod.node))) {
        if (!index.accepted(node)) continue;
        if (state.closed.has(node) && !mayUseClosed(state, node, this.#of)) continue;
        const there = byNode.get(node);
        if (there === undefined) byNode.set(node, [victim]);
        else there.push(victim);
      }
    }
    const order = [...byNode].sort(([a], [b]) => (state.nodes.name(a) < state.nodes.name(b) ? -1 : 1));
    let best: readonly Victim[] | undefined;
    let limit = Infinity;
    for (const [node, there] of order) {
      if ((there[0]?.cost ?? Infinity) >= limit) continue;
      const subset = cheapestSubset(
        there,
        limit,
        (victim) => this.#lift(victim.job),
        (victim) => this.#putBack(victim.job),
        () => state.nodes.fits(node, shape),
      );
      if (subset === undefined) continue;
      best = subset;
      limit = subset.reduce((sum, { cost }) => sum + cost, 0);
    }
    return best;
  }

  /** The shortest run of cheapest ones that is enough, then without each that turns out not to be needed. */
  #anywhere(victims: readonly Victim[]): readonly Victim[] | undefined {
    const enough = (chosen: readonly Victim[]): boolean => this.#without(chosen, () => this.#enough());
    if (!enough(victims)) return undefined;
    let low = 1;
    let high = victims.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (enough(victims.slice(0, middle))) high = middle;
      else low = middle + 1;
    }
    let chosen: readonly Victim[] = victims.slice(0, low);
    chosen = this.#concerned(chosen, enough);
    for (const victim of chosen.toReversed()) {
      const fewer = chosen.filter((each) => each !== victim);
      if (enough(fewer)) chosen = fewer;
    }
    return this.#cheaper(victims, chosen);
  }

  /** Where few may be taken, all subsets are tried for one that costs less. */
  #cheaper(victims: readonly Victim[], chosen: readonly Victim[]): readonly Victim[] {
    if (victims.length > EXACT_VICTIMS) return chosen;
    const better = cheapestSubset(
      victims,
      chosen.reduce((sum, { cost }) => sum + cost, 0),
      (victim) => this.#lift(victim.job),
      (victim) => this.#putBack(victim.job),
      () => this.#enough(),
    );
    return better ?? chosen;
  }

  /** Drops at one go those that neither lie where it would be placed nor weigh on its quotas. */
  #concerned(chosen: readonly Victim[], enough: (chosen: readonly Victim[]) => boolean): readonly Victim[] {
    const places = this.#without(chosen, () => {
      const pods = placeJob(this.#state, this.#of, this.#sizes);
      if (pods !== undefined) giveBack(this.#state.nodes, this.#of.groups, pods);
      return new Set(pods?.map(({ node }) => node));
    });
    const concerned = chosen.filter(({ job }) => job.pods.some(({ node }) => places.has(node)));
    return concerned.length < chosen.length && enough(concerned) ? concerned : chosen;
  }

  #enough(): boolean {
    if (blockOf(this.#state, this.#of, this.#amounts) !== undefined) return false;
    const pods = placeJob(this.#state, this.#of, this.#sizes);
    if (pods === undefined) return false;
    giveBack(this.#state.nodes, this.#of.groups, pods);
    return true;
  }

  #without<T>(victims: readonly Victim[], look: () => T): T {
    for (const { job } of victims) this.#lift(job);
    try {
      return look();
    } finally {
      for (const { job } of victims) this.#putBack(job);
    }
  }

  #lift(job: RunningJob): void {
    moveForTrial(this.#state, job, -1);
  }

  #putBack(job: RunningJob): void {
    moveForTrial(this.#state, job, 1);
  }
}

export function isAdmitted(answer: Admission): answer is Exclude<Admission, { readonly block: unknown }> {
  return 'pods' in answer;
}
