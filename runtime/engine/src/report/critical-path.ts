import type { Nesting, TimedTask } from './timed-task.ts';

/**
 * The tasks that a bake waited for, one after the other: had one of them been faster, the bake would have been. From the
 * task that ended last, back to the need that it waited for longest, and so on. Calls are not on it: what lies in them is.
 *
 * Source: the critical path method (Kelley and Walker, 1959), over times that were measured.
 */
export function criticalPath(nesting: Nesting<TimedTask>, now: number): readonly string[] {
  const endOf = ({ ended }: TimedTask): number => ended ?? now;
  const later = (one: TimedTask | undefined, other: TimedTask): TimedTask => {
    if (one === undefined) return other;
    const more = endOf(other) - endOf(one);
    // Of two that ended at once always the same one.
    return more > 0 || (more === 0 && other.id < one.id) ? other : one;
  };
  /** Of each call, the task in it that ended last. */
  const lastIn = new Map<string, TimedTask>();
  for (const task of nesting.byId.values()) {
    if (task.begun === null || nesting.isCall(task.id)) continue;
    const seen = new Set<string>();
    for (let call = nesting.callOf(task.id) ?? ''; !seen.has(call); call = nesting.callOf(call) ?? '') {
      seen.add(call);
      lastIn.set(call, later(lastIn.get(call), task));
    }
  }
  const path: string[] = [];
  const seen = new Set<string>();
  let at = lastIn.get('');
  while (at !== undefined && !seen.has(at.id)) {
    path.push(at.id);
    seen.add(at.id);
    at = waitedFor(nesting, at)
      .map((need) => (nesting.isCall(need.id) ? lastIn.get(need.id) : need))
      .filter((need) => need !== undefined && need.begun !== null && !seen.has(need.id))
      .reduce<TimedTask | undefined>((last, need) => (need === undefined ? last : later(last, need)), undefined);
  }
  return path.reverse();
}

/** What a task needs, and the calls that it lies in: they had to begin before it. */
function waitedFor(nesting: Nesting<TimedTask>, task: TimedTask): readonly TimedTask[] {
  const needs: string[] = [];
  const seen = new Set<string>();
  for (let id: string | undefined = task.id; id !== undefined && !seen.has(id); id = nesting.callOf(id)) {
    seen.add(id);
    needs.push(...(nesting.byId.get(id)?.needs ?? []));
  }
  return needs.flatMap((id) => nesting.byId.get(id) ?? []);
}
