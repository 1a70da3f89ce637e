import { Explainer } from '../scheduling/index.ts';
import type { Planner } from './planner.ts';
import { keptText, waitingText } from './words.ts';

export interface Waiting {
  readonly id: string;
  readonly reason: string;
  readonly description: string;
}

export interface Explained {
  readonly waiting: readonly Waiting[];
  /** Those that were not come to. */
  readonly left: readonly string[];
}

/**
 * Why jobs wait, for the state after a cycle, those first that are asked about first. Jobs that ask for the same in the same
 * queue have one reason, computed once. Who does not wait is passed over.
 * @param silence what is to be said of a cluster that is not heard of; empty: nothing
 * @param enough asked after each reason: true ends the work
 */
export function explainWaiting(
  planner: Planner,
  ids: Iterable<string>,
  silence = '',
  enough: () => boolean = () => false,
): Explained {
  const { state } = planner.core;
  const waiting: Waiting[] = [];
  const asked = new Map<ReturnType<typeof state.jobs.classOf>, string[]>();
  for (const id of ids) {
    const kept = planner.keptFor(id);
    if (kept !== undefined) {
      waiting.push({ id, reason: 'NoCapacity', description: keptText(kept) });
      continue;
    }
    const slot = state.jobs.slotOf(id);
    if (slot === undefined || state.running.has(slot)) continue;
    const of = state.jobs.classOf(slot);
    const same = asked.get(of);
    if (same === undefined) asked.set(of, [id]);
    else same.push(id);
  }
  const explainer = new Explainer(state);
  const left: string[] = [];
  let ended = false;
  for (const [{ pending }, same] of asked) {
    if (ended) {
      left.push(...same);
      continue;
    }
    const head = pending.peek();
    const reason = head === undefined ? undefined : explainer.explain(state.jobs.ids[head] ?? '');
    if (reason === undefined) continue;
    const description = waitingText(reason, (preset) => planner.offers(preset), silence);
    for (const id of same) waiting.push({ id, reason: reason.code, description });
    ended = enough();
  }
  return { waiting, left };
}
