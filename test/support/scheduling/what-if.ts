import type { Decision, Job, Snapshot } from '../../../runtime/scheduling/src/index.ts';
import {
  amounts,
  ancestors,
  couldStart,
  DIMENSIONS,
  isPreemptible,
  leastOf,
  type Place,
  running,
  sizesOf,
  subsets,
  usage,
} from './checker.ts';
import { mayReclaim } from './loans.ts';

/* What would be if others ended, moved or shrank: the checker's rules applied to changed worlds, every one that there is. */

/** The world with some jobs not running any more. */
export function without(world: Snapshot, ids: ReadonlySet<string>): Snapshot {
  return { ...world, jobs: world.jobs.map((job) => (ids.has(job.id) ? { ...job, running: undefined } : job)) };
}

/** The world after a decision, as plain data. */
export function after(world: Snapshot, decision: Decision): Snapshot {
  const change = (job: Job): Job => {
    switch (decision.kind) {
      case 'start':
        return { ...job, suspended: false, running: { startedAt: world.now, pods: [...decision.pods] } };
      case 'preempt':
        return { ...job, suspended: true, running: undefined };
      case 'resize': {
        const key = (pod: Place): string => JSON.stringify([pod.group, pod.node, pod.gpus]);
        const gone = decision.removed.map(key);
        const pods = (job.running?.pods ?? []).filter((pod) => {
          const place = gone.indexOf(key(pod));
          if (place >= 0) gone.splice(place, 1);
          return place < 0;
        });
        const grewAt = decision.added.length > 0 ? world.now : job.running?.grewAt;
        const startedAt = job.running?.startedAt ?? world.now;
        const grown = grewAt === undefined ? {} : { grewAt };
        return { ...job, running: { startedAt, pods: [...pods, ...decision.added], ...grown } };
      }
      case 'expire':
        return job;
    }
  };
  const jobs = world.jobs.filter(({ id }) => decision.kind !== 'expire' || id !== decision.job);
  return { ...world, jobs: jobs.map((job) => (job.id === decision.job ? change(job) : job)) };
}

const RANK = { low: 0, normal: 1, high: 2 };
const projectOf = (world: Snapshot, job: Job): string =>
  ancestors(world, job.queue).find(({ kind }) => kind !== 'user')?.name ?? '';

/** What a preemption costs by the documented function: priority first, then work lost in seconds of a device, a second a replica. */
export function costOf(world: Snapshot, victim: Job): number {
  const { milliGpu, milliCpu } = amounts(world, victim, sizesOf(victim));
  const seconds = (world.now - (victim.running?.startedAt ?? world.now)) / 1000;
  const lost = seconds * (milliGpu / 1000 + milliCpu / 16_000) + (victim.running?.pods.length ?? 0);
  return RANK[victim.priority] * 1e9 + lost;
}

/**
 * The least that it costs so that a job can start to preempt jobs of lower priority in the same project, and such as run on
 * what its guarantee lent; undefined: none suffice.
 */
export function leastCost(world: Snapshot, job: Job): number | undefined {
  const victims = running(world).filter(
    (each) =>
      isPreemptible(world, each) &&
      ((world.policy.preemption &&
        RANK[each.priority] < RANK[job.priority] &&
        projectOf(world, each) === projectOf(world, job)) ||
        mayReclaim(world, job, each)) &&
      (each.running?.startedAt ?? 0) + Math.max(1, world.policy.minRunMs) <= world.now,
  );
  const costs = subsets(victims)
    .filter((some) => couldStart(without(world, new Set(some.map(({ id }) => id))), job))
    .map((some) => some.reduce((sum, each) => sum + costOf(world, each), 0));
  return costs.length === 0 ? undefined : Math.min(...costs);
}

/** Whether a job could start if running elastic gangs gave up some of what they have above their minimum. */
export function couldStartShrunk(world: Snapshot, job: Job): boolean {
  const spare = running(world)
    .filter((each) => each.running?.grewAt !== world.now)
    .filter((each) => projectOf(world, each) !== projectOf(world, job) || RANK[each.priority] <= RANK[job.priority])
    .flatMap((each) => (each.running?.pods ?? []).map((pod) => ({ id: each.id, pod })))
    .filter(({ id, pod }) => {
      const group = world.jobs.find((each) => each.id === id)?.groups[pod.group];
      return group !== undefined && (group.min ?? group.count) < group.count;
    });
  return subsets(spare).some((gone) => {
    const taken = new Set(gone.map(({ pod }) => pod));
    const smaller: Snapshot = {
      ...world,
      jobs: world.jobs.map((each) =>
        each.running === undefined
          ? each
          : { ...each, running: { ...each.running, pods: each.running.pods.filter((pod) => !taken.has(pod)) } },
      ),
    };
    const legal = gone.every(({ id }) => {
      const gang = smaller.jobs.find((each) => each.id === id);
      if (gang === undefined || sizesOf(gang).some((size, g) => size < (leastOf(gang)[g] ?? 0))) return false;
      const shared = ancestors(world, job.queue).map(({ name }) => name);
      return ancestors(world, gang.queue)
        .filter(({ name }) => !shared.includes(name))
        .every(({ name, guarantee }) =>
          DIMENSIONS.every((d) => {
            const left = usage(smaller, name)[d];
            return guarantee[d] === undefined || left === usage(world, name)[d] || left >= guarantee[d];
          }),
        );
    });
    return legal && couldStart(smaller, job);
  });
}

export function jobOf(world: Snapshot, id: string): Job {
  const found = world.jobs.find((job) => job.id === id);
  if (found === undefined) throw new Error(`no job ${id}`);
  return found;
}

/** The decisions of one cycle, each with the world that it was made in. */
export function inTurn(
  before: Snapshot,
  decisions: readonly Decision[],
): readonly { readonly world: Snapshot; readonly decision: Decision }[] {
  let given = before;
  return decisions.map((decision) => {
    const made = { world: given, decision };
    given = after(given, decision);
    return made;
  });
}
