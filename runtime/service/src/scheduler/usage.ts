import type { NodeReport, Quota } from '@delos/core';
import type { MirroredJob } from './mirror.ts';

/*
 * How much the cluster has, and who uses how much of it. Amounts are in the units of the Kubernetes API: cores of
 * `cpu`, bytes of `memory`, whole devices of an extended resource.
 */

/** Resource → amount. */
export type Amounts = ReadonlyMap<string, number>;

/** Of whom it is told: the others, if there are more, are only counted. */
export const MOST_PROJECTS = 500;
/** As many pools as a cluster can reasonably have. */
export const MOST_POOLS = 100;

export interface PoolUsage {
  /** What its nodes offer to jobs that are ready and take Pods. */
  readonly capacity: Amounts;
  /** What its jobs have. */
  readonly used: Amounts;
  /** How many nodes are `ready`, `cordoned` (they are ready and take no new Pods) and `not-ready`. */
  readonly nodes: Amounts;
}

export interface ProjectUsage {
  readonly organization: string;
  /** Its jobs that are not over, by the step that they are at. */
  readonly phases: Amounts;
  readonly used: Amounts;
  /** What its quota allows, where that says something; `jobs`: jobs at once. */
  readonly quota: Amounts;
}

/** Who has how much. */
export interface Usage {
  readonly pools: ReadonlyMap<string, PoolUsage>;
  /** By `ORGANIZATION/PROJECT`. */
  readonly projects: ReadonlyMap<string, ProjectUsage>;
  /** Projects that there was no more room for. */
  readonly untold: number;
}

/** What {@link usageOf} counts. */
export interface Counted {
  readonly nodes: readonly NodeReport[];
  readonly jobs: Iterable<Pick<MirroredJob, 'org' | 'project' | 'phase' | 'planned'>>;
  readonly projects: readonly { readonly org: string; readonly name: string; readonly quota: Quota }[];
}

class Sums extends Map<string, number> {
  add(key: string, amount: number): void {
    this.set(key, (this.get(key) ?? 0) + amount);
  }

  /** Adds cores, bytes and devices, `times` of them. */
  take({ cpu, memory, extended }: Pick<NodeReport, 'cpu' | 'memory' | 'extended'>): void {
    this.add('cpu', cpu);
    this.add('memory', memory);
    for (const [resource, count] of Object.entries(extended)) this.add(resource, count);
  }
}

/** Counts what nodes offer and jobs have, by pool and by project. */
export function usageOf({ nodes, jobs, projects }: Counted): Usage {
  const pools = new Map<string, { capacity: Sums; used: Sums; nodes: Sums }>();
  const pool = (name: string) =>
    madeIn(pools, name, () => ({ capacity: new Sums(), used: new Sums(), nodes: new Sums() }));
  for (const node of nodes) {
    if (node.pool === null) continue;
    const state = !node.ready ? 'not-ready' : node.schedulable ? 'ready' : 'cordoned';
    pool(node.pool).nodes.add(state, 1);
    if (state === 'ready') pool(node.pool).capacity.take(node);
  }
  const all = new Map(projects.map(({ org, name, quota }) => [`${org}/${name}`, noUse(org, quota)]));
  for (const { org, project, phase, planned } of jobs) {
    const own = madeIn(all, `${org}/${project}`, () => noUse(org, {}));
    own.phases.add(phase, 1);
    if (planned?.active === undefined) continue;
    own.used.take(planned.resources);
    pool(planned.active.pool).used.take(planned.resources);
  }
  // Who has jobs is told first: a project without any says nothing but its quota.
  const busy = [...all].sort(([a, one], [b, other]) => busyness(other) - busyness(one) || (a < b ? -1 : 1));
  return {
    pools: new Map([...pools].sort().slice(0, MOST_POOLS)),
    projects: new Map(busy.slice(0, MOST_PROJECTS)),
    untold: Math.max(0, busy.length - MOST_PROJECTS),
  };
}

const noUse = (organization: string, { runningJobs, cpu, memory, gpu }: Quota) => ({
  organization,
  phases: new Sums(),
  used: new Sums(),
  quota: new Map(
    Object.entries({ jobs: runningJobs, cpu, memory, gpu }).flatMap(([resource, most]) =>
      most === undefined ? [] : [[resource, most] as const],
    ),
  ),
});

const busyness = ({ phases }: { readonly phases: Amounts }): number =>
  [...phases.values()].reduce((sum, count) => sum + count, 0);

function madeIn<T>(all: Map<string, T>, key: string, make: () => T): T {
  const known = all.get(key);
  if (known !== undefined) return known;
  const made = make();
  all.set(key, made);
  return made;
}
