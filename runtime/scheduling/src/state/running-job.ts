import type { Pod } from '../policies/gang-request.ts';
import type { JobClass } from './entities.ts';

/** A job with its places and what it is charged. */
export interface RunningJob {
  readonly id: string;
  readonly slot: number;
  readonly submittedAt: number;
  readonly startedAt: number;
  /** When replicas were last added while it ran. */
  readonly grewAt: number | undefined;
  readonly of: JobClass;
  /** Replicas by group. */
  readonly sizes: readonly number[];
  readonly amounts: Float64Array;
  readonly pods: readonly Pod[];
}

/** When it ends at the latest; undefined: nobody knows. */
export function endOf(job: RunningJob): number | undefined {
  const lifeSpan = job.of.template.lifeSpanMs;
  return lifeSpan === undefined ? undefined : job.startedAt + lifeSpan;
}
