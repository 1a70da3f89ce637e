import type { PlannedJob } from './planned.ts';

/** What a planner knows of a job. */
export interface Known {
  /** As its row was told last. */
  readonly job: PlannedJob;
  /** All that the core was told of the job but where it runs. */
  readonly key: string;
  readonly preset: string;
  /**
   * queue: it waits. held: it waits, and the core knows it not, since one of its disks cannot be had. kept: the core has
   * placed it, and others must leave before it is admitted. node: it was admitted. leaving: it is on its way out, and the
   * core knows it no more.
   */
  place: 'queue' | 'held' | 'kept' | 'node' | 'leaving';
  /** Where it runs in the core, and since when; where it leaves from. */
  node: string | undefined;
  since: number;
}

/** Whether a job's row tells nothing new but perhaps where it runs. */
export function isSame({ job: before, key, place }: Known, job: PlannedJob): boolean {
  return key === keyOf(job) && isWhere(job, place) && (job.active !== undefined || disksOf(before) === disksOf(job));
}

/** Whether a job's row says that it is where it is in the planner. */
function isWhere({ active }: PlannedJob, place: Known['place']): boolean {
  if (active === undefined) return place === 'queue' || place === 'held' || place === 'kept';
  return place === (active.leaving ? 'leaving' : 'node');
}

export function keyOf(job: PlannedJob): string {
  const { org, project, owner, preset, resources, pools, priority, preemptible, run, lifeSpanMinutes } = job;
  return JSON.stringify([org, project, owner, preset, resources, pools, priority, preemptible, run, lifeSpanMinutes]);
}

const disksOf = ({ disks }: PlannedJob): string => JSON.stringify(disks);
