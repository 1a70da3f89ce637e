import type { Job, Preset, Scope, Snapshot } from '../../../runtime/scheduling/src/index.ts';

/* Of the checker: what jobs use, and which rule of which scope forbids more. */

export const DIMENSIONS = ['jobs', 'milliCpu', 'memoryMiB', 'milliGpu', 'milliCreditsPerHour'] as const;
type Amounts = Record<(typeof DIMENSIONS)[number], number>;

export const presetOf = (world: Snapshot, name: string): Preset => {
  const found = world.presets.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no preset ${name}`);
  return found;
};
export const running = (world: Snapshot): readonly Job[] => world.jobs.filter((job) => job.running !== undefined);
export const isPreemptible = (world: Snapshot, job: Job): boolean =>
  job.groups.every(({ preset }) => presetOf(world, preset).preemptible);

function gpuMilli(preset: Preset): number {
  const gpu = preset.gpu;
  if (gpu === undefined) return 0;
  if (gpu.kind === 'whole') return 1000 * gpu.count;
  if (gpu.kind === 'fraction') return gpu.milli;
  if (gpu.kind === 'memory')
    return Math.min(1000, Math.ceil((1000 * gpu.memoryMiB) / (gpu.minMemoryMiB ?? gpu.memoryMiB)));
  if (gpu.kind === 'claim') return gpu.requests.reduce((sum, { count, upTo }) => sum + 1000 * (upTo ?? count), 0);
  const sevenths = Number(/mig-(\d)g/.exec(gpu.profile)?.[1] ?? 7);
  return Math.round((gpu.count * sevenths * 1000) / 7);
}

export function amounts(world: Snapshot, job: Job, sizes: readonly number[]): Amounts {
  const total: Amounts = { jobs: 1, milliCpu: 0, memoryMiB: 0, milliGpu: 0, milliCreditsPerHour: 0 };
  job.groups.forEach((group, g) => {
    const preset = presetOf(world, group.preset);
    const replicas = sizes[g] ?? 0;
    total.milliCpu += replicas * preset.milliCpu;
    total.memoryMiB += replicas * preset.memoryMiB;
    total.milliGpu += replicas * gpuMilli(preset);
    total.milliCreditsPerHour += replicas * preset.milliCreditsPerHour;
  });
  return total;
}

export function sizesOf(job: Job): readonly number[] {
  return job.groups.map((_, g) => job.running?.pods.filter(({ group }) => group === g).length ?? 0);
}

export const leastOf = (job: Job): readonly number[] => job.groups.map(({ count, min }) => min ?? count);

export function ancestors(world: Snapshot, queue: string): readonly Scope[] {
  const path: Scope[] = [];
  for (let name: string | undefined = queue; name !== undefined; ) {
    const scope = world.scopes.find((each) => each.name === name);
    if (scope === undefined) throw new Error(`no scope ${name}`);
    path.push(scope);
    name = scope.parent;
  }
  return path;
}

/** The scopes that a queue's jobs count under: those above it, and its person. */
export function countedUnder(world: Snapshot, queue: string): readonly Scope[] {
  const path = ancestors(world, queue);
  const person = world.scopes.find(({ name }) => name === path[0]?.person);
  return person === undefined ? path : [...path, person];
}

/** What jobs of a scope use together. */
export function usage(world: Snapshot, scope: string, jobs: readonly Job[] = running(world)): Amounts {
  const total: Amounts = { jobs: 0, milliCpu: 0, memoryMiB: 0, milliGpu: 0, milliCreditsPerHour: 0 };
  for (const job of jobs) {
    if (!countedUnder(world, job.queue).some(({ name }) => name === scope)) continue;
    const own = amounts(world, job, sizesOf(job));
    for (const dimension of DIMENSIONS) total[dimension] += own[dimension];
  }
  return total;
}

/** Which rule of which scope forbids a job of these amounts; empty: none. */
export function forbidden(world: Snapshot, job: Job, wants: Amounts): readonly string[] {
  const lends = world.policy.reclaim && world.scopes.some(({ guarantee }) => Object.keys(guarantee).length > 0);
  const firm = isPreemptible(world, job) ? [] : running(world).filter((each) => !isPreemptible(world, each));
  const capacity = (dimension: string): number =>
    world.nodes
      .filter(({ ready }) => ready)
      .reduce((sum, node) => {
        if (dimension === 'milliCpu') return sum + node.milliCpu;
        if (dimension === 'memoryMiB') return sum + node.memoryMiB;
        const slices = Object.entries(node.slices).map(
          ([name, n]) => (n * Number(/mig-(\d)g/.exec(name)?.[1] ?? 7)) / 7,
        );
        return sum + 1000 * (node.gpu?.count ?? 0) + Math.round(1000 * slices.reduce((a, b) => a + b, 0));
      }, 0);
  const faults: string[] = [];
  for (const scope of countedUnder(world, job.queue)) {
    const used = usage(world, scope.name);
    for (const d of DIMENSIONS) {
      if (wants[d] === 0) continue;
      if (used[d] + wants[d] > (scope.quota[d] ?? Infinity)) faults.push(`quota ${scope.name} ${d}`);
      if (used[d] + wants[d] > (scope.limit[d] ?? Infinity)) faults.push(`limit ${scope.name} ${d}`);
      if (!lends || isPreemptible(world, job) || scope.kind === 'person') continue;
      const own = scope.guarantee[d];
      if (own !== undefined) {
        if (usage(world, scope.name, firm)[d] + wants[d] > own) faults.push(`guarantee ${scope.name} ${d}`);
        continue;
      }
      const beside = world.scopes.filter(({ parent, kind }) => parent === scope.parent && kind !== 'person');
      const promised = beside.filter(({ guarantee }) => guarantee[d] !== undefined);
      const whole =
        scope.parent === undefined
          ? d === 'jobs' || d === 'milliCreditsPerHour'
            ? undefined
            : capacity(d)
          : world.scopes.find(({ name }) => name === scope.parent)?.guarantee[d];
      if (promised.length === 0 || whole === undefined) continue;
      const left = whole - promised.reduce((sum, { guarantee }) => sum + (guarantee[d] ?? 0), 0);
      const taken = beside
        .filter(({ guarantee }) => guarantee[d] === undefined)
        .reduce((sum, { name }) => sum + usage(world, name, firm)[d], 0);
      if (taken + wants[d] > left) faults.push(`remainder ${scope.name} ${d}`);
    }
  }
  faults.push(...keptFrom(world, job, wants));
  for (const { from, until, maxMilliGpu } of world.policy.energyWindows) {
    if (wants.milliGpu === 0 || world.now < from || world.now >= until) continue;
    const used = running(world).reduce((sum, each) => sum + amounts(world, each, sizesOf(each)).milliGpu, 0);
    if (used + wants.milliGpu > maxMilliGpu) faults.push(`energy ${job.queue} milliGpu`);
  }
  const array = job.array;
  if (array?.maxRunning !== undefined) {
    const others = running(world).filter((each) => each.array?.name === array.name).length;
    if (others >= array.maxRunning) faults.push(`array ${array.name}`);
  }
  return faults;
}

const RANK = { low: 0, normal: 1, high: 2 };

/**
 * Quotas of which what is free is kept for a job that has waited longer: not from who is more urgent, lies within a guarantee of its
 * own, or has ended by then.
 */
function keptFrom(world: Snapshot, job: Job, wants: Amounts): readonly string[] {
  return countedUnder(world, job.queue).flatMap((scope) => {
    const kept = world.reservations.find((each) => each.scope === scope.name);
    const holder = world.jobs.find(({ id }) => id === kept?.job);
    if (kept === undefined || holder === undefined || isAlike(holder, job)) return [];
    if (RANK[job.priority] > RANK[holder.priority]) return [];
    const asks = amounts(world, holder, leastOf(holder));
    const used = usage(world, scope.name);
    const cap = (d: (typeof DIMENSIONS)[number]): number =>
      Math.min(scope.quota[d] ?? Infinity, scope.limit[d] ?? Infinity);
    const scarce = DIMENSIONS.find((d) => asks[d] > 0 && used[d] + asks[d] > cap(d));
    if (scarce === undefined || wants[scarce] === 0 || isEntitled(world, job)) return [];
    const ends = job.lifeSpanMs !== undefined && kept.due !== undefined && world.now + job.lifeSpanMs <= kept.due;
    return world.policy.backfill && ends ? [] : [`kept ${scope.name} ${scarce}`];
  });
}

/** Whether a job at its smallest lies within the first guarantee, from its queue up, of something that it asks for. */
function isEntitled(world: Snapshot, job: Job): boolean {
  const wants = amounts(world, job, leastOf(job));
  const judge = ancestors(world, job.queue).find(({ guarantee }) =>
    DIMENSIONS.some((d) => guarantee[d] !== undefined && wants[d] > 0),
  );
  if (judge === undefined) return false;
  const used = usage(world, judge.name);
  return DIMENSIONS.every((d) => wants[d] === 0 || used[d] + wants[d] <= (judge.guarantee[d] ?? Infinity));
}

/** Jobs that ask for the same, in the same place and way: what is kept for one of them is kept for all. */
export function isAlike(one: Job, other: Job): boolean {
  const own = ({ id: _id, submittedAt: _at, running: _running, suspended: _suspended, ...rest }: Job): string =>
    JSON.stringify(Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)));
  return own(one) === own(other);
}
