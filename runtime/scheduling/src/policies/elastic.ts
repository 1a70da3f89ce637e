import { at } from '../model/quantities.ts';
import type { JobClass, ScopeState } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import { divergence, guaranteeOf } from '../state/scope-tree.ts';
import type { Pod } from './gang-request.ts';

/** One replica that a running gang can do without. */
export interface Spare {
  readonly job: RunningJob;
  readonly pod: Pod;
  /** What it is charged; it is no job. */
  readonly amounts: Float64Array;
}

/**
 * Replicas above the minimum are room that nobody needed when they were placed: whoever waits may have it, before anybody is
 * preempted. Within a project only for a job of at least the same priority. They come in the order in which they are to be
 * given: lower priority first, then the job that started last, its last group and there the last replica. Of each group
 * there are as many as lie above its minimum, `on` the node asked for. Jobs that grew at this instant are left alone.
 *
 * Sources: Feitelson and Rudolph, "Toward Convergence in Job Schedulers for Parallel Supercomputers", JSSPP 1996 (malleable
 * jobs); Qiao et al., "Pollux", OSDI 2021 (sizes that follow the load); Kubeflow/torchrun elastic (min and max replicas).
 */
export function sparesFor(
  waiting: JobClass,
  elastic: Iterable<RunningJob>,
  now: number,
  on?: ReadonlySet<number>,
): readonly Spare[] {
  const jobs = [...elastic]
    .filter((job) => job.grewAt !== now)
    .filter((job) => job.of.queue.project !== waiting.queue.project || job.of.rank <= waiting.rank)
    .sort((a, b) => a.of.rank - b.of.rank || b.startedAt - a.startedAt || (a.id < b.id ? -1 : 1));
  const spares: Spare[] = [];
  for (const job of jobs) {
    for (let g = job.of.groups.length - 1; g >= 0; g -= 1) {
      const group = job.of.groups[g];
      if (group === undefined) continue;
      let left = (job.sizes[g] ?? 0) - group.min;
      const amounts = replicaAmounts(job.of, g);
      for (const pod of job.pods.toReversed()) {
        if (left <= 0) break;
        if (pod.group !== g || (on !== undefined && !on.has(pod.node))) continue;
        spares.push({ job, pod, amounts });
        left -= 1;
      }
    }
  }
  return spares;
}

/** What one more replica of a group is charged, beside its job. */
export function replicaAmounts(of: JobClass, g: number): Float64Array {
  return of.groups[g]?.perReplica ?? new Float64Array(5);
}

/**
 * Whether a replica may be taken for a job: a scope that does not hold both keeps what it is guaranteed, so that no guarantee
 * is broken by a gang that lies in it growing smaller.
 */
export function mayTake({ job, amounts }: Spare, waiting: ScopeState): boolean {
  const sides = divergence(waiting, job.of.queue);
  if (sides === undefined) return true;
  for (let scope: ScopeState | undefined = job.of.queue; scope !== undefined; scope = scope.parent) {
    for (let d = 1; d < 5; d += 1) {
      const guarantee = guaranteeOf(scope, d);
      const freed = at(amounts, d);
      if (guarantee !== undefined && freed > 0 && at(scope.used, d) - freed < guarantee) return false;
    }
    if (scope === sides.b) break;
  }
  return true;
}
