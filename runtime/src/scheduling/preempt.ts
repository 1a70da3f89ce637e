import { type Admission, type Block, blockOf, placeJob, shrunk } from './admission.ts';
import { mayUseClosed } from './closed.ts';
import type { JobClass } from './entities.ts';
import type { NodeTable } from './node-table.ts';
import { giveBack } from './policies/gang.ts';
import type { Pod } from './policies/gang-request.ts';
import { cheapestFirst, cheapestSubset, type Victim, victimsFor } from './policies/preemption.ts';
import { rightsOf } from './rights.ts';
import type { RunningJob } from './running-job.ts';
import type { Shape } from './shapes.ts';
import type { SchedulerState } from './state.ts';
import { moveForTrial, moveOnNode } from './trial.ts';

/** Who gives way, and the places taken for the job once they are gone. The victims are still booked as running. */
export interface Preemption {
  readonly victims: readonly Victim[];
  readonly sizes: readonly number[];
  readonly pods: readonly Pod[];
}

export type PreemptionAnswer =
  | Preemption
  /** Nobody at this instant: what would stop it even if all whom it may move aside were gone. */
  | { readonly block: Block };

/** Looks for the cheapest jobs to move aside so that the head of a class, which `block` stops, can start at its smallest size. */
export function tryPreempt(state: SchedulerState, of: JobClass, block: Block): PreemptionAnswer {
  const spare = of.groups.reduce((sum, { count, min }) => sum + count - min, 0);
  const search = new Search(state, of, shrunk(of, spare));
  const ready = victimsFor(of, of.least, rightsOf(state)).filter(({ protectedUntil }) => protectedUntil <= state.now);
  return ready.length === 0 ? { block } : search.cheapest(ready);
}

/** So many victims of a gang, or of a job that quotas stop, are searched through for the cheapest subset. */
const EXACT_VICTIMS = 10;

/** Trial removal of running jobs: what it takes away it puts back. */
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
    const single = this.#of.groups.length === 1 && this.#sizes[0] === 1;
    const roomOnly = this.#block() === undefined;
    const chosen = single && roomOnly ? this.#onOneNode(victims) : this.#anywhere(cheapestFirst(victims));
    if (chosen === undefined) return { block: this.#without(victims, () => this.#block()) ?? { kind: 'room' } };
    // Placed while they are away; the caller ends them for good, then books these places.
    const pods = this.#without(chosen, () => placeJob(this.#state, this.#of, this.#sizes));
    return pods === undefined ? { block: { kind: 'room' } } : { victims: chosen, sizes: this.#sizes, pods };
  }

  #block(): Block | undefined {
    return blockOf(this.#state, this.#of, this.#of.least);
  }

  /** Of every node the cheapest subset of its victims; of nodes the one where that is cheapest, of equal ones the first by name. */
  #onOneNode(victims: readonly Victim[]): readonly Victim[] | undefined {
    const state = this.#state;
    const shape = this.#of.groups[0]?.shape;
    const index = shape === undefined ? undefined : state.indices.get(shape.key);
    if (shape === undefined || index === undefined) return undefined;
    index.refresh(state.now);
    const byNode = new Map<number, Victim[]>();
    for (const victim of victims) {
      for (const { node } of victim.job.pods) {
        const there = byNode.get(node);
        if (there === undefined) byNode.set(node, [victim]);
        else if (there.at(-1) !== victim) there.push(victim);
      }
    }
    let best: readonly Victim[] | undefined;
    let limit = Infinity;
    for (const node of state.nodes.byName) {
      const there = byNode.get(node);
      if (there === undefined || !index.accepted(node)) continue;
      if (there.every(({ cost }) => cost >= limit)) continue;
      if (state.closed.has(node) && !mayUseClosed(state, node, this.#of)) continue;
      const subset = cheapestOn(state.nodes, node, shape, there, limit);
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

/** Of the victims on a node the cheapest that make room there for one of a shape, if they cost less than `below`. */
function cheapestOn(
  nodes: NodeTable,
  node: number,
  shape: Shape,
  victims: readonly Victim[],
  below: number,
): readonly Victim[] | undefined {
  return nodes.trial(() => {
    const lift = ({ job }: Victim): void => moveOnNode(nodes, node, job, -1);
    const putBack = ({ job }: Victim): void => moveOnNode(nodes, node, job, 1);
    for (const victim of victims) lift(victim);
    const possible = nodes.fits(node, shape);
    for (const victim of victims) putBack(victim);
    if (!possible) return undefined;
    return cheapestSubset(cheapestFirst(victims), below, lift, putBack, () => nodes.fits(node, shape));
  });
}

export function isAdmitted(answer: Admission): answer is Exclude<Admission, { readonly block: unknown }> {
  return 'pods' in answer;
}
