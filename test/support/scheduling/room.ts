import type { Job, Node, Preset, Snapshot } from '../../../runtime/scheduling/src/index.ts';
import { ancestors, isAlike, leastOf, presetOf, running } from './quotas.ts';

/* Of the checker: where replicas have room, by trying every place. */

/** What is left of one node. */
export interface Rest {
  readonly node: Node;
  cpu: number;
  memory: number;
  ephemeral: number;
  pods: number;
  readonly devices: number[];
  /** Who shares each device by time slices, and who by MPS. */
  readonly sharers: { 'time-slice': number; mps: number }[];
  readonly slices: Map<string, number>;
}

export function suits(world: Snapshot, job: Job, preset: Preset, node: Node): boolean {
  const pool = world.pools.find(({ name }) => name === node.pool);
  if (pool === undefined) return false;
  if (preset.pools.length > 0 && !preset.pools.includes(node.pool)) return false;
  if (job.pools.length > 0 && !job.pools.includes(node.pool)) return false;
  for (const name of job.volumes)
    if (world.volumes.find((each) => each.name === name)?.zone !== node.zone) return false;
  const labels = { ...pool.labels, ...node.labels };
  if (Object.entries(preset.selector).some(([key, value]) => labels[key] !== value)) return false;
  if ([...pool.taints, ...node.taints].some((taint) => !preset.tolerations.includes(taint))) return false;
  const gpu = preset.gpu;
  if (gpu === undefined || gpu.kind === 'slice') return true;
  if (node.gpu === undefined) return false;
  if (gpu.kind === 'claim') {
    const all = Array.from({ length: node.gpu.count }, (_, device) => device);
    return subsets(all).some((some) => satisfies(world, preset, node, some));
  }
  if (gpu.resource !== undefined && gpu.resource !== node.gpu.resource) return false;
  if (gpu.models !== undefined && !gpu.models.includes(node.gpu.model)) return false;
  if ((gpu.minMemoryMiB ?? 0) > node.gpu.memoryMiB) return false;
  return Object.entries(gpu.attributes ?? {}).every(([key, value]) => node.gpu?.attributes[key] === value);
}

/** Whether these devices of a node, all of them, are what a claim asks for: by trying every way to deal them out. */
export function satisfies(world: Snapshot, preset: Preset, node: Node, devices: readonly number[]): boolean {
  const gpu = preset.gpu;
  if (gpu?.kind !== 'claim' || node.gpu === undefined) return false;
  const own = node.gpu;
  const attributes = (device: number): Record<string, string> => ({
    resource: own.resource,
    model: own.model,
    memoryMiB: `${own.memoryMiB}`,
    ...own.attributes,
    ...own.devices?.[device]?.attributes,
  });
  const matches = (r: number, device: number): boolean => {
    const request = gpu.requests[r];
    const classes = world.deviceClasses?.find(({ name }) => name === request?.class);
    return [...(classes?.selectors ?? []), ...(request?.selectors ?? [])].every((selector) => {
      const value = attributes(device)[selector.attribute];
      if (value === undefined) return false;
      if (selector.in !== undefined && !selector.in.map(String).includes(value)) return false;
      if (selector.notIn?.map(String).includes(value) === true) return false;
      return Number(value) >= (selector.atLeast ?? -Infinity) && Number(value) <= (selector.atMost ?? Infinity)
        ? true
        : selector.atLeast === undefined && selector.atMost === undefined;
    });
  };
  const everywhere = Array.from({ length: own.count }, (_, device) => device);
  const deal = (d: number, hands: readonly (readonly number[])[]): boolean => {
    const device = devices[d];
    if (device !== undefined) {
      return hands.some((hand, r) => (matches(r, device) ? deal(d + 1, hands.with(r, [...hand, device])) : false));
    }
    const right = hands.every((hand, r) => {
      const request = gpu.requests[r];
      if (request?.allocationMode !== 'All') return hand.length === request?.count;
      const all = everywhere.filter((each) => matches(r, each));
      return all.length > 0 && all.length <= (request.upTo ?? 0) && all.every((each) => hand.includes(each));
    });
    return (
      right &&
      gpu.constraints.every(({ matchAttribute, requests }) => {
        const held = hands.flatMap((hand, r) =>
          requests === undefined || requests.includes(gpu.requests[r]?.name ?? '') ? hand : [],
        );
        const values = new Set(held.map((each) => attributes(each)[matchAttribute]));
        return values.size === 1 && !values.has(undefined);
      })
    );
  };
  return deal(
    0,
    gpu.requests.map(() => []),
  );
}

export function subsets<T>(of: readonly T[]): readonly (readonly T[])[] {
  let sets: readonly (readonly T[])[] = [[]];
  for (const each of of) sets = sets.flatMap((set) => [set, [...set, each]]);
  return sets;
}

/** Whether a drain of the node begins before this job has certainly ended. */
export function drainsBefore(world: Snapshot, job: Job, { drainAt }: Node): boolean {
  return drainAt !== undefined && (job.lifeSpanMs === undefined || world.now + job.lifeSpanMs > drainAt);
}

/** Whether nodes are reserved for others than this job, so that it may not start there now. */
export function isReserved(world: Snapshot, job: Job, node: Node): boolean {
  return (world.bookings ?? []).some(({ scope, nodes, from, until }) => {
    if (world.now >= until || !nodes.includes(node.name)) return false;
    if (ancestors(world, job.queue).some(({ name }) => name === scope)) return false;
    return job.lifeSpanMs === undefined || world.now + job.lifeSpanMs > from;
  });
}

/** Whether a node is kept for a job that has waited longer, so that this one may not start there now. */
export function isKept(world: Snapshot, job: Job, node: Node): boolean {
  return world.reservations.some(({ job: id, nodes, due, scope }) => {
    if (scope !== undefined || !nodes.includes(node.name)) return false;
    const holder = world.jobs.find((each) => each.id === id);
    if (holder === undefined || isAlike(holder, job)) return false;
    const ends = job.lifeSpanMs !== undefined && due !== undefined && world.now + job.lifeSpanMs <= due;
    return !(world.policy.backfill && ends);
  });
}

function isOpen(world: Snapshot, node: Node): boolean {
  return node.ready && !node.cordoned && (node.drainAt === undefined || world.now < node.drainAt);
}

function emptyRest(node: Node): Rest {
  return {
    node,
    cpu: node.milliCpu,
    memory: node.memoryMiB,
    ephemeral: node.ephemeralMiB,
    pods: node.pods,
    devices: Array.from({ length: node.gpu?.count ?? 0 }, () => 1000),
    sharers: Array.from({ length: node.gpu?.count ?? 0 }, () => ({ 'time-slice': 0, mps: 0 })),
    slices: new Map(Object.entries(node.slices)),
  };
}

export function book(rest: Rest, preset: Preset, gpus: readonly number[], sign: 1 | -1): void {
  rest.cpu -= sign * preset.milliCpu;
  rest.memory -= sign * preset.memoryMiB;
  rest.ephemeral -= sign * preset.ephemeralMiB;
  rest.pods -= sign;
  const gpu = preset.gpu;
  if (gpu?.kind === 'slice') rest.slices.set(gpu.profile, (rest.slices.get(gpu.profile) ?? 0) - sign * gpu.count);
  for (const device of gpus) rest.devices[device] = (rest.devices[device] ?? 0) - sign * partOf(preset, rest.node);
  if (gpu?.kind !== 'fraction' && gpu?.kind !== 'memory') return;
  for (const device of gpus) {
    const sharers = rest.sharers[device];
    if (sharers !== undefined) sharers[gpu.sharing ?? 'time-slice'] += sign;
  }
}

function partOf(preset: Preset, node: Node): number {
  const gpu = preset.gpu;
  if (gpu?.kind === 'fraction') return gpu.milli;
  if (gpu?.kind === 'memory') return Math.ceil((1000 * gpu.memoryMiB) / (node.gpu?.memoryMiB ?? 1));
  return 1000;
}

export function isOver(rest: Rest): boolean {
  const amounts = [rest.cpu, rest.memory, rest.ephemeral, rest.pods, ...rest.devices, ...rest.slices.values()];
  return amounts.some((amount) => amount < 0) || rest.sharers.some((each) => each['time-slice'] > 0 && each.mps > 0);
}

/** What running jobs leave; jobs on nodes that are not there are faults. */
export function rests(world: Snapshot): ReadonlyMap<string, Rest> {
  const all = new Map(world.nodes.map((node) => [node.name, emptyRest(node)]));
  for (const job of running(world)) {
    for (const { group, node, gpus } of job.running?.pods ?? []) {
      const rest = all.get(node);
      if (rest === undefined) throw new Error(`${job.id} runs on ${node}, which is not there`);
      book(rest, presetOf(world, job.groups[group]?.preset ?? ''), gpus, 1);
    }
  }
  return all;
}

/**
 * Choices of devices for one replica on a node: for parts every device, for a claim what satisfies it, for whole ones the
 * first idle ones, or where claims are about, any.
 */
export function choices(world: Snapshot, rest: Rest, preset: Preset, claims: boolean): readonly (readonly number[])[] {
  const gpu = preset.gpu;
  if (gpu === undefined || gpu.kind === 'slice') return [[]];
  if (gpu.kind === 'fraction' || gpu.kind === 'memory') return rest.devices.map((_, device) => [device]);
  const idle = rest.devices.flatMap((free, device) => (free === 1000 ? [device] : []));
  if (gpu.kind === 'claim') return subsets(idle).filter((some) => satisfies(world, preset, rest.node, some));
  if (claims) return subsets(idle).filter(({ length }) => length === gpu.count);
  return idle.length < gpu.count ? [] : [idle.slice(0, gpu.count)];
}

export function domain(world: Snapshot, node: Node, level: string): string {
  const cluster = world.pools.find(({ name }) => name === node.pool)?.cluster ?? '';
  const alone = `\0${node.name}`;
  const steps = [cluster, node.zone ?? alone, node.rack ?? alone, node.nvlink ?? alone, node.name];
  return steps.slice(0, ['cluster', 'zone', 'rack', 'nvlink', 'node'].indexOf(level) + 1).join('/');
}

/** Whether a job of these sizes has room, by trying every place. */
export function hasRoom(
  world: Snapshot,
  job: Job,
  sizes: readonly number[],
  on = rests(world),
  always = false,
): boolean {
  const replicas = job.groups.flatMap(({ preset }, g) =>
    Array.from({ length: sizes[g] ?? 0 }, () => ({ g, preset: presetOf(world, preset) })),
  );
  const claims = replicas.some(({ preset }) => preset.gpu?.kind === 'claim');
  const nodes = [...on.values()].filter(
    ({ node }) =>
      always ||
      (isOpen(world, node) &&
        !isReserved(world, job, node) &&
        !isKept(world, job, node) &&
        !drainsBefore(world, job, node)),
  );
  const domains = new Set(nodes.map(({ node }) => domain(world, node, job.within ?? 'cluster')));
  for (const only of domains) {
    const inside = nodes.filter(({ node }) => domain(world, node, job.within ?? 'cluster') === only);
    const visit = (r: number, from: number): boolean => {
      const replica = replicas[r];
      if (replica === undefined) return true;
      // Replicas of one group are alike: only ascending places are tried.
      const first = replicas[r - 1]?.g === replica.g ? from : 0;
      for (let place = first; place < inside.length; place += 1) {
        const rest = inside[place] as Rest;
        if (!suits(world, job, replica.preset, rest.node)) continue;
        for (const gpus of choices(world, rest, replica.preset, claims)) {
          book(rest, replica.preset, gpus, 1);
          const found = !isOver(rest) && visit(r + 1, place);
          book(rest, replica.preset, gpus, -1);
          if (found) return true;
        }
      }
      return false;
    };
    if (visit(0, 0)) return true;
  }
  return false;
}

/** Whether it could if nothing ran and all nodes were ready. */
export function fitsEmptyCluster(world: Snapshot, job: Job): boolean {
  return hasRoom(world, job, leastOf(job), new Map(world.nodes.map((node) => [node.name, emptyRest(node)])), true);
}
