import { LEVELS, type Level } from '../model/model.ts';
import { wholeDevices } from '../model/shapes.ts';
import type { GroupNeed } from '../state/entities.ts';
import type { NodeTable } from '../state/node-table.ts';
import { byDomain } from '../state/topology.ts';
import { packExactly } from './exact-packing.ts';
import type { GangRequest, Pod } from './gang-request.ts';

/**
 * Finds places for all replicas of a gang, or for none, and takes them. Undefined where there is no room; what was tried
 * is given back.
 *
 * The narrowest level at which a single domain holds the gang wins, of its domains the one that is left fullest; within
 * it the replicas go to as few subdomains as they can, level by level (Kueue, topology-aware scheduling, best fit).
 * Replicas of one shape are found room for whenever there is some. For unequal ones that is a packing problem: largest
 * first, and where that fails an exact search with a bounded number of steps.
 */
export function placeGang(request: GangRequest): readonly Pod[] | undefined {
  const { nodes, groups, sizes } = request;
  const kinds = groups.map((_, g) => g).filter((g) => (sizes[g] ?? 0) > 0);
  const counts = kinds.map((g) => {
    const shape = (groups[g] as GroupNeed).shape;
    const free = new Map<number, number>();
    let total = 0;
    for (const node of request.usable[g] ?? []) {
      const count = nodes.count(node, shape);
      if (count === 0) continue;
      free.set(node, count);
      total += count;
    }
    return { free, total };
  });
  if (kinds.some((g, kind) => (counts[kind]?.total ?? 0) < (sizes[g] ?? 0))) return undefined;
  const all = [...new Set(counts.flatMap(({ free }) => [...free.keys()]))].sort(byName(nodes));
  const room = (members: readonly number[], kind: number): number => {
    let sum = 0;
    for (const node of members) sum += counts[kind]?.free.get(node) ?? 0;
    return sum;
  };
  const narrowest = request.topology === 'ignore' ? LEVELS.indexOf(request.within) : 0;
  for (let l = narrowest; l <= LEVELS.indexOf(request.within); l += 1) {
    const fitting: { readonly members: readonly number[]; readonly left: number; readonly name: string }[] = [];
    for (const [name, members] of byDomain(nodes, all, LEVELS[l] as Level)) {
      const left = kinds.map((g, kind) => room(members, kind) - (sizes[g] ?? 0));
      if (left.every((each) => each >= 0)) fitting.push({ members, left: Math.min(...left), name });
    }
    fitting.sort((a, b) => a.left - b.left || (a.name < b.name ? -1 : 1));
    for (const { members } of fitting) {
      const pods = placeWithin(request, kinds, members, l);
      if (pods !== undefined) return pods;
    }
  }
  return undefined;
}

function placeWithin(
  request: GangRequest,
  kinds: readonly number[],
  members: readonly number[],
  level: number,
): readonly Pod[] | undefined {
  const { nodes, groups, sizes } = request;
  const largestFirst = kinds.toSorted((a, b) => weight(groups[b]) - weight(groups[a]) || a - b);
  const inside = new Set(members);
  const pods: Pod[] = [];
  for (const g of largestFirst) {
    const usable = (request.usable[g] ?? []).filter((node) => inside.has(node));
    const placed = spread(request, g, sizes[g] ?? 0, usable, level);
    pods.push(...placed.pods);
    if (placed.left === 0) continue;
    giveBack(nodes, groups, pods);
    return kinds.length > 1 ? packExactly(request, largestFirst, members) : undefined;
  }
  return pods;
}

export function giveBack(nodes: NodeTable, groups: readonly GroupNeed[], pods: readonly Pod[]): void {
  for (const { group, node, gpus } of pods) nodes.release(node, (groups[group] as GroupNeed).shape, gpus);
}

function byName(nodes: NodeTable): (a: number, b: number) => number {
  return (a, b) => (nodes.name(a) < nodes.name(b) ? -1 : 1);
}

/** By what is scarcest: devices that must be certain ones, devices, then memory and CPU. */
function weight(group: GroupNeed | undefined): number {
  if (group === undefined) return 0;
  const { gpu, milliCpu, memoryMiB } = group.shape;
  const devices = gpu.kind === 'slice' ? gpu.count : gpu.kind === 'none' ? 0 : wholeDevices(gpu) || 0.5;
  return (gpu.kind === 'claim' ? 2 ** 40 : 0) + devices * 2 ** 30 + milliCpu + memoryMiB / 4;
}

/** Puts replicas of one group onto nodes, to as few domains of each lower level as possible. */
function spread(
  request: GangRequest,
  g: number,
  wanted: number,
  members: readonly number[],
  level: number,
): { readonly pods: readonly Pod[]; readonly left: number } {
  const { nodes } = request;
  const shape = (request.groups[g] as GroupNeed).shape;
  if (request.topology === 'ignore') return byScore(request, g, wanted, members);
  if (level === 0) {
    const pods: Pod[] = [];
    for (const node of members) {
      for (let n = nodes.count(node, shape); n > 0 && pods.length < wanted; n -= 1) {
        pods.push({ group: g, node, gpus: nodes.take(node, shape) });
      }
    }
    return { pods, left: wanted - pods.length };
  }
  const domains = [...byDomain(nodes, members, LEVELS[level - 1] as Level)].map(([name, inside]) => ({
    name,
    inside,
    room: inside.reduce((sum, node) => sum + nodes.count(node, shape), 0),
  }));
  const pods: Pod[] = [];
  let left = wanted;
  // Smallest first, so that the last one is the smallest that holds the rest.
  domains.sort((a, b) => a.room - b.room || (a.name < b.name ? -1 : 1));
  while (left > 0 && domains.length > 0) {
    const enough = domains.findIndex(({ room }) => room >= left);
    const [domain] = domains.splice(enough < 0 ? domains.length - 1 : enough, 1);
    if (domain === undefined || domain.room === 0) break;
    const placed = spread(request, g, Math.min(left, domain.room), domain.inside, level - 1);
    pods.push(...placed.pods);
    left -= placed.pods.length;
  }
  return { pods, left };
}

function byScore(
  { nodes, placement, groups }: GangRequest,
  g: number,
  wanted: number,
  members: readonly number[],
): { readonly pods: readonly Pod[]; readonly left: number } {
  const shape = (groups[g] as GroupNeed).shape;
  const order = members
    .filter((node) => nodes.fits(node, shape))
    .map((node) => ({ node, score: placement.score(nodes, node, shape) }))
    .sort((a, b) => a.score - b.score || byName(nodes)(a.node, b.node));
  const pods: Pod[] = [];
  for (const { node } of order) {
    while (pods.length < wanted && nodes.fits(node, shape))
      pods.push({ group: g, node, gpus: nodes.take(node, shape) });
  }
  return { pods, left: wanted - pods.length };
}
