import { admit } from '../deciding/admission.ts';
import { isAdmitted } from '../deciding/preempt.ts';
import { giveBack } from '../policies/gang.ts';
import type { JobClass, JobTemplate, ScopeState } from '../state/entities.ts';
import type { SchedulerState } from '../state/state.ts';
import { describeClass } from './describe.ts';
import type { Remedy } from './reason.ts';

/** The most that are named of each kind. */
const MOST = 3;

/**
 * Changes by which a job of the class would be admitted at once, each tried on the state as it is. What is kept for the
 * job stays its own as it changes: `holds` says that it is for the oldest of the class that is asked.
 */
export function remediesFor(state: SchedulerState, of: JobClass, holds: boolean): readonly Remedy[] {
  const works = (change: Partial<JobTemplate>): boolean =>
    wouldStart(state, { ...of.template, ...change }, holds ? of : undefined);
  return [
    ...smallerGang(of, works),
    ...otherPools(state, of, works),
    ...otherPresets(state, of, works),
    ...otherQueues(state, of, works),
  ];
}

/**
 * Whether a job like this would be admitted now, without preemption; in the place of a holder with what is kept for
 * that. Leaves all as it was.
 */
function wouldStart(state: SchedulerState, template: JobTemplate, holder: JobClass | undefined): boolean {
  const of = describeClass(state, template, '');
  const answer = holder === undefined ? admit(state, of) : handedOver(state, holder, of, () => admit(state, of));
  if (!isAdmitted(answer)) return false;
  giveBack(state.nodes, of.groups, answer.pods);
  return true;
}

/** Answers a question about the state in which one class has what is kept for another. */
function handedOver<T>(state: SchedulerState, from: JobClass, to: JobClass, ask: () => T): T {
  const { held } = state;
  const holds = [...state.quotaHolds].filter(([, hold]) => hold.of === from);
  if (held?.of === from) state.held = { ...held, of: to };
  for (const [scope, hold] of holds) state.quotaHolds.set(scope, { ...hold, of: to });
  try {
    return ask();
  } finally {
    state.held = held;
    for (const [scope, hold] of holds) state.quotaHolds.set(scope, hold);
  }
}

type Works = (change: Partial<JobTemplate>) => boolean;

function smallerGang(of: JobClass, works: Works): readonly Remedy[] {
  const groups = of.template.groups;
  const g = groups.reduce((largest, { count }, each) => (count > (groups[largest]?.count ?? 0) ? each : largest), 0);
  const group = groups[g];
  if (group === undefined || group.count === 1) return [];
  const least = group.min ?? group.count;
  const with_ = (count: number): Partial<JobTemplate> => ({
    groups: groups.map((each, index) => (index === g ? { preset: each.preset, count } : each)),
  });
  // Fewer replicas are never harder to place.
  let low = 0;
  let high = Math.min(group.count, least) - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (works(with_(middle))) low = middle;
    else high = middle - 1;
  }
  return low === 0 || !works(with_(low)) ? [] : [{ change: 'count', group: g, count: low }];
}

function otherPools(state: SchedulerState, of: JobClass, works: Works): readonly Remedy[] {
  const asked = of.template.pools;
  if (asked.length === 0) return [];
  return [...state.pools.keys()]
    .filter((pool) => !asked.includes(pool))
    .sort()
    .filter((pool) => works({ pools: [pool] }))
    .slice(0, MOST)
    .map((pool) => ({ change: 'pools', pools: [pool] }));
}

function otherPresets(state: SchedulerState, of: JobClass, works: Works): readonly Remedy[] {
  const [group] = of.template.groups;
  if (group === undefined || of.template.groups.length > 1) return [];
  const own = state.presets.get(group.preset);
  // Only presets for the same purpose: a job that asked for a GPU gets none without one.
  return [...state.presets.values()]
    .filter(({ name, gpu }) => name !== group.preset && (gpu === undefined) === (own?.gpu === undefined))
    .map(({ name }) => name)
    .sort()
    .filter((preset) => works({ groups: [{ ...group, preset }] }))
    .slice(0, MOST)
    .map((preset) => ({ change: 'preset', preset }));
}

/**
 * Queues of the same organization that the same person may use: those with the same last name, or those of all
 * projects.
 */
function otherQueues(state: SchedulerState, of: JobClass, works: Works): readonly Remedy[] {
  const top = (scope: ScopeState): ScopeState => (scope.parent === undefined ? scope : top(scope.parent));
  const last = (name: string): string => name.split('/').at(-1) ?? name;
  const isUser = of.queue.spec.kind === 'user';
  return [...state.scopes.values()]
    .filter(
      (scope) =>
        scope !== of.queue &&
        scope.spec.kind !== 'person' &&
        scope.children.length === 0 &&
        top(scope) === top(of.queue),
    )
    .filter(({ spec }) => spec.kind === of.queue.spec.kind && (!isUser || last(spec.name) === last(of.queue.spec.name)))
    .map(({ spec }) => spec.name)
    .sort()
    .slice(0, 50)
    .filter((queue) => works({ queue }))
    .slice(0, MOST)
    .map((queue) => ({ change: 'queue', queue }));
}
