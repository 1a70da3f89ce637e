import type { Job, Level, Priority } from '../model/model.ts';
import { quotaMilliGpu, type Shape } from '../model/shapes.ts';
import type { GroupNeed, JobClass, JobTemplate } from './entities.ts';

export const RANKS: Readonly<Record<Priority, number>> = { low: 0, normal: 1, high: 2 };

export function classKey(job: JobTemplate): string {
  return JSON.stringify([
    job.queue,
    job.priority,
    job.groups,
    job.lifeSpanMs ?? 0,
    job.scheduleTimeoutMs ?? 0,
    job.pools,
    job.volumes,
    job.within ?? 0,
    job.array ?? 0,
    ...(job.nodes === undefined ? [] : [job.nodes]),
  ]);
}

/** Amounts of a job that has so many replicas of each group. */
export function amountsOf(groups: readonly GroupNeed[], sizes: readonly number[]): Float64Array {
  const amounts = new Float64Array(5);
  amounts[0] = 1;
  groups.forEach(({ perReplica }, g) => {
    const replicas = sizes[g] ?? 0;
    for (let d = 1; d < 5; d += 1) amounts[d] = (amounts[d] ?? 0) + replicas * (perReplica[d] ?? 0);
  });
  return amounts;
}

/** What one replica of a shape is charged, in the order of DIMENSIONS. */
export function chargeOf({ milliCpu, memoryMiB, preset }: Shape): Float64Array {
  return Float64Array.of(0, milliCpu, memoryMiB, quotaMilliGpu(preset.gpu), preset.milliCreditsPerHour);
}

/** Whether jobs of a class may run with fewer replicas than they wish for. */
export function isElastic(of: JobClass): boolean {
  return of.groups.some(({ count, min }) => min < count);
}

/** The domain in which a job's replicas must lie together, at the widest its cluster. */
export function requiredLevel(template: JobTemplate): Level {
  return template.within ?? 'cluster';
}

/** A job as the plain data that it came as. */
export function templateOf({
  id: _id,
  submittedAt: _at,
  running: _running,
  suspended: _suspended,
  ...template
}: Job): JobTemplate {
  return template;
}
