import { earliestStart } from '../answers/forecast.ts';
import { at } from '../model/quantities.ts';
import { wholeDevices } from '../model/shapes.ts';
import {
  CONSOLIDATED,
  gainOf,
  MOST_MOVED,
  type Movable,
  type MovableJobs,
  movableJobs,
  NODES_TRIED,
} from '../policies/consolidation.ts';
import { giveBack } from '../policies/gang.ts';
import type { Pod } from '../policies/gang-request.ts';
import { cheapestSubset } from '../policies/preemption.ts';
import type { JobClass } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import type { SchedulerState } from '../state/state.ts';
import { moveForTrial } from '../state/trial.ts';
import { mayUseClosed } from '../waking/closed.ts';
import type { Timers } from '../waking/timers.ts';
import { blockOf, placeJob } from './admission.ts';
import { smallest } from './sizes.ts';

export interface Move {
  readonly job: RunningJob;
  readonly pods: readonly Pod[];
}

/** A waiting job that has room once others are moved; all new places are taken, and the old ones still booked. */
export interface Consolidation {
  readonly of: JobClass;
  readonly sizes: readonly number[];
  readonly pods: readonly Pod[];
  readonly moves: readonly Move[];
}

/**
 * Of the jobs that wait for room, by priority and age, the first for which moving others is worth it. Asked when nobody
 * can start and nobody may be preempted any more.
 */
export function tryConsolidate(state: SchedulerState, timers: Timers): Consolidation | undefined {
  const { consolidation, minRunMs } = state.policy;
  if (consolidation === undefined || state.preemptible.size === 0) return undefined;
  const waiting = oldestForRoom(state);
  if (waiting.length === 0) return undefined;
  const movable = movableJobs(state.preemptible, state.now, minRunMs);
  if (movable.next < Infinity) timers.movable.add(movable.next, null);
  for (const of of waiting) {
    const found = new Rearrangement(state, of).tryFind(movable, consolidation.horizonMs);
    if (found !== undefined) return found;
  }
  return undefined;
}

function oldestForRoom(state: SchedulerState): readonly JobClass[] {
  const first: JobClass[] = [];
  for (const of of state.order?.forRoom() ?? []) {
    if (blockOf(state, of, of.least) === undefined) first.push(of);
    if (first.length === CONSOLIDATED) break;
  }
  return first;
}

/** The search for one waiting job. Each trial puts back what it took away. */
class Rearrangement {
  readonly #state: SchedulerState;
  readonly #of: JobClass;
  readonly #sizes: readonly number[];

  constructor(state: SchedulerState, of: JobClass) {
    this.#state = state;
    this.#of = of;
    this.#sizes = smallest(of);
  }

  tryFind({ ready }: MovableJobs, horizonMs: number): Consolidation | undefined {
    const { now } = this.#state;
    const most = gainOf(this.#of, now + horizonMs, now);
    const single = this.#of.groups.length === 1 && this.#sizes[0] === 1;
    const chosen = single ? this.#forOneNode(ready, most) : this.#forGang(ready, most);
    if (chosen === undefined) return undefined;
    const cost = chosen.reduce((sum, each) => sum + each.cost, 0);
    // If it will start soon by itself, little is gained.
    const alone = earliestStart(this.#state, this.#of, { quotas: false, room: true })?.at;
    if (alone !== undefined && gainOf(this.#of, Math.min(alone, now + horizonMs), now) <= cost) return undefined;
    for (const { job } of chosen) moveForTrial(this.#state, job, -1);
    const found = this.#rearrange(chosen);
    for (const { job } of chosen) moveForTrial(this.#state, job, 1);
    return found === undefined ? undefined : { of: this.#of, sizes: this.#sizes, ...found };
  }

  /** Takes places for the waiting job, then for all that were lifted for it, the largest first; or for none. */
  #rearrange(
    lifted: readonly Movable[],
  ): { readonly pods: readonly Pod[]; readonly moves: readonly Move[] } | undefined {
    const state = this.#state;
    const pods = placeJob(state, this.#of, this.#sizes);
    if (pods === undefined) return undefined;
    const moves: Move[] = [];
    const size = ({ job }: Movable): number => at(job.amounts, 3) * 1e9 + at(job.amounts, 1);
    for (const { job } of lifted.toSorted((a, b) => size(b) - size(a) || (a.job.id < b.job.id ? -1 : 1))) {
      const places = placeJob(state, job.of, job.sizes);
      if (places === undefined) {
        for (const move of moves) giveBack(state.nodes, move.job.of.groups, move.pods);
        giveBack(state.nodes, this.#of.groups, pods);
        return undefined;
      }
      moves.push({ job, pods: places });
    }
    return { pods, moves };
  }

  #isEnough(lifted: readonly Movable[]): boolean {
    const found = this.#rearrange(lifted);
    if (found === undefined) return false;
    for (const { job, pods } of found.moves) giveBack(this.#state.nodes, job.of.groups, pods);
    giveBack(this.#state.nodes, this.#of.groups, found.pods);
    return true;
  }

  /** Of each node the cheapest jobs without which one replica has room there, if all of them have room elsewhere. */
  #forOneNode(ready: readonly Movable[], most: number): readonly Movable[] | undefined {
    const state = this.#state;
    const shape = this.#of.groups[0]?.shape;
    const index = shape === undefined ? undefined : state.indices.get(shape.key);
    if (shape === undefined || index === undefined) return undefined;
    index.refresh(state.now);
    const byNode = new Map<number, Movable[]>();
    for (const each of ready) {
      for (const node of new Set(each.job.pods.map((pod) => pod.node))) {
        if (!index.accepted(node) || (state.closed.has(node) && !mayUseClosed(state, node, this.#of))) continue;
        const there = byNode.get(node);
        if (there === undefined) byNode.set(node, [each]);
        else there.push(each);
      }
    }
    const lacking = (node: number): number => Math.max(0, wholeDevices(shape.gpu) - at(state.nodes.idleGpus, node));
    const order = [...byNode].sort(
      ([a, [first]], [b, [second]]) =>
        lacking(a) - lacking(b) ||
        (first?.cost ?? 0) - (second?.cost ?? 0) ||
        (state.nodes.name(a) < state.nodes.name(b) ? -1 : 1),
    );
    let best: readonly Movable[] | undefined;
    let limit = most;
    for (const [node, there] of order.slice(0, NODES_TRIED)) {
      const lifted: Movable[] = [];
      const subset = cheapestSubset(
        there,
        limit,
        (each) => {
          moveForTrial(state, each.job, -1);
          lifted.push(each);
        },
        (each) => {
          moveForTrial(state, each.job, 1);
          lifted.splice(lifted.indexOf(each), 1);
        },
        () => state.nodes.fits(node, shape) && this.#isEnough(lifted),
      );
      if (subset === undefined) continue;
      best = subset;
      limit = subset.reduce((sum, { cost }) => sum + cost, 0);
    }
    return best;
  }

  /** The shortest run of cheapest jobs that is enough, less those that turn out not to be needed. */
  #forGang(ready: readonly Movable[], most: number): readonly Movable[] | undefined {
    const state = this.#state;
    const lifted: Movable[] = [];
    let cost = 0;
    let found = false;
    try {
      for (const each of ready.slice(0, MOST_MOVED)) {
        cost += each.cost;
        moveForTrial(state, each.job, -1);
        lifted.push(each);
        found = this.#isEnough(lifted);
        if (found) break;
      }
      if (!found) return undefined;
      for (const each of lifted.toReversed()) {
        const place = lifted.indexOf(each);
        moveForTrial(state, each.job, 1);
        lifted.splice(place, 1);
        if (this.#isEnough(lifted)) cost -= each.cost;
        else {
          moveForTrial(state, each.job, -1);
          lifted.splice(place, 0, each);
        }
      }
      return cost < most ? [...lifted] : undefined;
    } finally {
      for (const { job } of lifted) moveForTrial(state, job, 1);
    }
  }
}
