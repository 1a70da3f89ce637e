import { Explainer, isKeptFor } from '@delos/scheduling';
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
 * queue have one reason, computed once; the oldest of them one of its own where something is kept for it. Who does not wait is
 * passed over.
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
    const hold = planner.holdOf(id);
    if (hold !== undefined) {
      waiting.push({ id, ...hold });
      continue;
    }
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
  const tell = (ids: readonly string[], like: string | undefined): void => {
    const reason = like === undefined ? undefined : explainer.explain(like);
    if (reason === undefined) return;
    const description = waitingText(reason, (preset) => planner.offers(preset), silence);
    for (const id of ids) waiting.push({ id, reason: reason.code, description });
    ended = enough();
  };
  for (const [of, same] of asked) {
    if (ended) {
      left.push(...same);
      continue;
    }
    const oldest = state.jobs.ids[of.pending.peek() ?? -1];
    if (!isKeptFor(state, of)) tell(same, oldest);
    else {
      const others = same.filter((id) => id !== oldest);
      if (others.length < same.length)
        tell(
          same.filter((id) => id === oldest),
          oldest,
        );
      tell(others, others[0]);
    }
  }
  return { waiting, left };
}
