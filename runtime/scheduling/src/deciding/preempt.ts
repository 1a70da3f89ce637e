import { giveBack } from '../policies/gang.ts';
import type { Pod } from '../policies/gang-request.ts';
import { cheapestFirst, cheapestSubset, type Victim, victimsFor } from '../policies/preemption.ts';
import type { JobClass } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import type { SchedulerState } from '../state/state.ts';
import { moveForTrial } from '../state/trial.ts';
import { rightsOf } from '../waking/rights.ts';
import { type Admission, type Block, blockOf, placeJob } from './admission.ts';
import { cheapestNode } from './preempt-node.ts';
import { smallest } from './sizes.ts';

/** Who is preempted, and the places taken for the job once they are gone. The victims are still booked as running. */
export interface Preemption {
  readonly victims: readonly Victim[];
  readonly sizes: readonly number[];
  readonly pods: readonly Pod[];
}

export type PreemptionAnswer =
  | Preemption
  /** None now: what would stop the job even if all jobs that it may preempt were gone. */
  | { readonly block: Block };

/**
 * Looks for the cheapest jobs to preempt so that the head of a class, which `block` stops, can start at its smallest
 * size.
 */
export function tryPreempt(state: SchedulerState, of: JobClass, block: Block): PreemptionAnswer {
  const sizes = smallest(of);
  const search = new Search(state, of, sizes);
  if (of.groups.length === 1 && sizes[0] === 1 && block.kind === 'room') {
    const victims = cheapestNode(state, of);
    if (victims !== undefined) return search.answer(victims);
    of.retryOn = new Set();
    return { block };
  }
  const victims = victimsFor(of, rightsOf(state));
  if (victims.length > 0) return search.cheapest(victims);
  of.lacking = Infinity;
  return { block };
}

/** So many victims of a gang, or of a job that quotas stop, are searched through for the cheapest subset. */
const EXACT_VICTIMS = 10;

/** Removes running jobs for a trial, and puts them back. */
class Search {
  readonly #state: SchedulerState;
  readonly #of: JobClass;
  readonly #sizes: readonly number[];

  constructor(state: SchedulerState, of: JobClass, sizes: readonly number[]) {
    this.#state = state;
    this.#of = of;
    this.#sizes = sizes;
  }

  cheapest(victims: readonly Victim[]): PreemptionAnswer {
    const chosen = this.#anywhere(cheapestFirst(victims));
    if (chosen !== undefined) return this.answer(chosen);
    return this.#without(victims, () => {
      const block = this.#block() ?? { kind: 'room' };
      this.#of.lacking = block.kind === 'room' ? this.#lacking() : 0;
      return { block };
    });
  }

  /** Of one group of replicas, how many have no room now; at least one. */
  #lacking(): number {
    const [group] = this.#of.groups;
    if (group === undefined || this.#of.groups.length > 1) return 0;
    const room = this.#state.indices.get(group.shape.key)?.replicas(this.#state.now) ?? 0;
    return Math.max(1, (this.#sizes[0] ?? 0) - room);
  }

  /** Places are taken while the victims are away; the caller ends them for good, then books these places. */
  answer(victims: readonly Victim[]): PreemptionAnswer {
    const pods = this.#without(victims, () => placeJob(this.#state, this.#of, this.#sizes));
    return pods === undefined ? { block: { kind: 'room' } } : { victims, sizes: this.#sizes, pods };
  }

  #block(): Block | undefined {
    return blockOf(this.#state, this.#of, this.#of.least);
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

  /** Drops at once all jobs that neither lie where it would be placed nor count under its quotas. */
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
    if (this.#block() !== undefined) return false;
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
