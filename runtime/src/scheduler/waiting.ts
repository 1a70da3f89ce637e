import { Explainer } from '../scheduling/index.ts';
import type { Planner } from './planner.ts';
import { waitingText } from './words.ts';

export interface Waiting {
  readonly id: string;
  readonly reason: string;
  readonly description: string;
}

/**
 * Why jobs wait, for the state after a cycle: of all, or of those asked about. Jobs that ask for the same in the same queue
 * have one reason, computed once.
 * @param silence what is to be said of a cluster that is not heard of; empty: nothing
 */
export function explainWaiting(planner: Planner, ids: 'all' | Iterable<string>, silence: string): readonly Waiting[] {
  const { state } = planner.core;
  const asked = new Map<ReturnType<typeof state.jobs.classOf>, number[]>();
  if (ids === 'all') for (const of of state.classes.values()) asked.set(of, [...of.pending.values()]);
  else {
    for (const id of new Set(ids)) {
      const slot = state.jobs.slotOf(id);
      if (slot === undefined || state.running.has(slot)) continue;
      const of = state.jobs.classOf(slot);
      const slots = asked.get(of);
      if (slots === undefined) asked.set(of, [slot]);
      else slots.push(slot);
    }
  }
  const explainer = new Explainer(state);
  const found: Waiting[] = [];
  for (const [{ pending }, slots] of asked) {
    const head = pending.peek();
    const reason = head === undefined ? undefined : explainer.explain(state.jobs.ids[head] ?? '');
    if (reason === undefined) continue;
    const description = waitingText(reason, (preset) => planner.offers(preset), silence);
    for (const slot of slots) found.push({ id: state.jobs.ids[slot] ?? '', reason: reason.code, description });
  }
  return found;
}
