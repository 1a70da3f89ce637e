import { blockOf, placeJob } from '../deciding/admission.ts';
import { smallest } from '../deciding/sizes.ts';
import { giveBack } from '../policies/gang.ts';
import type { JobClass } from '../state/entities.ts';
import { endOf, type RunningJob } from '../state/running-job.ts';
import type { SchedulerState } from '../state/state.ts';
import { moveForTrial } from '../state/trial.ts';

export interface EarliestStart {
  /** By the life-spans of running jobs; undefined where one of them must end that has none. */
  readonly at: number | undefined;
  readonly nodes: readonly number[];
  /** How many running jobs must end before. */
  readonly after: number;
}

/**
 * When the head of a class could start at the latest if nothing else took its place: running jobs are taken away in the
 * order in which they end by their life-spans (those without one last, longest running first) until it has room, if
 * that is asked, and its quotas allow it, if that is. Undefined where even then it could not start. All is put back.
 */
export function earliestStart(
  state: SchedulerState,
  of: JobClass,
  options: { readonly quotas: boolean; readonly room: boolean; readonly among?: (job: RunningJob) => boolean },
): EarliestStart | undefined {
  const sizes = smallest(of);
  const amounts = of.least;
  const among = options.among ?? (() => true);
  const order = [...state.running.values()]
    .filter(among)
    .sort(
      (a, b) => (endOf(a) ?? Infinity) - (endOf(b) ?? Infinity) || a.startedAt - b.startedAt || (a.id < b.id ? -1 : 1),
    );
  const attempt = (): readonly number[] | undefined => {
    if (options.quotas && blockOf(state, of, amounts) !== undefined) return undefined;
    if (!options.room) return [];
    const pods = placeJob(state, of, sizes);
    if (pods === undefined) return undefined;
    giveBack(state.nodes, of.groups, pods);
    return [...new Set(pods.map(({ node }) => node))];
  };
  const lifted: RunningJob[] = [];
  const lift = (to: number): void => {
    while (lifted.length < to) {
      const job = order[lifted.length] as RunningJob;
      moveForTrial(state, job, -1);
      lifted.push(job);
    }
    while (lifted.length > to) moveForTrial(state, lifted.pop() as RunningJob, 1);
  };
  try {
    lift(order.length);
    if (attempt() === undefined) return undefined;
    // More room never hurts, so halving finds the least number of ends that is enough.
    let low = 0;
    let high = order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      lift(middle);
      if (attempt() === undefined) low = middle + 1;
      else high = middle;
    }
    lift(low);
    const nodes = attempt();
    if (nodes === undefined) return undefined;
    const last = low === 0 ? undefined : order[low - 1];
    return { at: last === undefined ? state.now : endOf(last), nodes, after: low };
  } finally {
    lift(0);
  }
}
