import { allocate, attributesOf, type Claim, claimOf } from './claims.ts';
import type { DeviceClass, GpuRequest, Node, Pool, Preset, Sharing } from './model.ts';

/** How a shape takes devices; the rest of its request is in plain amounts. */
export type GpuNeed =
  | { readonly kind: 'none' }
  | { readonly kind: 'whole'; readonly count: number }
  | { readonly kind: 'fraction'; readonly milli: number; readonly sharing: Sharing }
  | { readonly kind: 'memory'; readonly memoryMiB: number; readonly sharing: Sharing }
  | { readonly kind: 'claim'; readonly claim: Claim }
  | { readonly kind: 'slice'; readonly profile: string; readonly count: number };

/**
 * What one replica asks of a node, once for all jobs that ask the same: the equivalence class that feasibility is
 * remembered by. Two jobs of one shape fit the same nodes.
 */
export interface Shape {
  readonly key: string;
  readonly preset: Preset;
  readonly milliCpu: number;
  readonly memoryMiB: number;
  readonly ephemeralMiB: number;
  readonly gpu: GpuNeed;
  /** Pools that may hold it by preset and job; undefined: any. */
  readonly pools: ReadonlySet<string> | undefined;
  /** The zone its volumes are bound to; null: bound to several, which no node satisfies. */
  readonly zone: string | null | undefined;
  /** Nodes that may hold it; undefined: any. */
  readonly nodes: ReadonlySet<string> | undefined;
}

/** Where a job says itself that it may lie, beside what its presets say. */
export interface Whereabouts {
  /** Empty: any. */
  readonly pools: readonly string[];
  readonly zone?: string | null | undefined;
  /** Left out: any. */
  readonly nodes?: readonly string[] | undefined;
}

/** No classes: for presets without claims. */
const NO_CLASSES: ReadonlyMap<string, DeviceClass> = new Map();

/** @throws RangeError where a claim names a device class that is not known */
export function shapeOf(preset: Preset, where: Whereabouts, classes = NO_CLASSES): Shape {
  const { pools, zone, nodes } = where;
  const allowed =
    pools.length === 0
      ? preset.pools
      : preset.pools.length === 0
        ? pools
        : pools.filter((each) => preset.pools.includes(each));
  const any = pools.length === 0 && preset.pools.length === 0;
  return Object.freeze({
    key: shapeKey(preset.name, where),
    preset,
    milliCpu: preset.milliCpu,
    memoryMiB: preset.memoryMiB,
    ephemeralMiB: preset.ephemeralMiB,
    gpu: needOf(preset.gpu, classes),
    pools: any ? undefined : new Set(allowed),
    zone,
    nodes: nodes === undefined ? undefined : new Set(nodes),
  });
}

export function shapeKey(preset: string, { pools, zone, nodes }: Whereabouts): string {
  if (pools.length === 0 && zone === undefined && nodes === undefined) return preset;
  const sorted = (names: readonly string[]): readonly string[] => [...new Set(names)].sort();
  return JSON.stringify([preset, sorted(pools), zone === undefined ? 0 : zone, ...(nodes ? [sorted(nodes)] : [])]);
}

function needOf(gpu: GpuRequest | undefined, classes: ReadonlyMap<string, DeviceClass>): GpuNeed {
  if (gpu === undefined) return { kind: 'none' };
  switch (gpu.kind) {
    case 'whole':
      return { kind: 'whole', count: gpu.count };
    case 'fraction':
      return { kind: 'fraction', milli: gpu.milli, sharing: gpu.sharing ?? 'time-slice' };
    case 'memory':
      return { kind: 'memory', memoryMiB: gpu.memoryMiB, sharing: gpu.sharing ?? 'time-slice' };
    case 'claim':
      return { kind: 'claim', claim: claimOf(gpu, classes) };
    case 'slice':
      return { kind: 'slice', profile: gpu.profile, count: gpu.count };
  }
}

/** What keeps a shape from a node whatever runs there. */
export type Unsuitable = 'pool' | 'selector' | 'taint' | 'zone' | 'node' | 'gpu-model';

/** Undefined where the node is one that could hold the shape by what it is. */
export function unsuitable(shape: Shape, node: Node, pool: Pool): Unsuitable | undefined {
  if (shape.pools !== undefined && !shape.pools.has(node.pool)) return 'pool';
  if (shape.zone !== undefined && shape.zone !== (node.zone ?? '')) return 'zone';
  if (shape.nodes !== undefined && !shape.nodes.has(node.name)) return 'node';
  for (const [key, value] of Object.entries(shape.preset.selector)) {
    if ((node.labels[key] ?? pool.labels[key]) !== value) return 'selector';
  }
  for (const taint of [...pool.taints, ...node.taints]) if (!shape.preset.tolerations.includes(taint)) return 'taint';
  const gpu = shape.preset.gpu;
  if (gpu === undefined || gpu.kind === 'slice') return undefined;
  const has = node.gpu;
  if (has === undefined) return 'gpu-model';
  if (gpu.kind === 'claim') {
    const all = Array.from({ length: has.count }, () => true);
    const { gpu: need } = shape;
    return need.kind === 'claim' && allocate(need.claim, attributesOf(has), all) !== undefined
      ? undefined
      : 'gpu-model';
  }
  if (gpu.resource !== undefined && gpu.resource !== has.resource) return 'gpu-model';
  if (gpu.models !== undefined && !gpu.models.includes(has.model)) return 'gpu-model';
  if (gpu.minMemoryMiB !== undefined && gpu.minMemoryMiB > has.memoryMiB) return 'gpu-model';
  for (const [key, value] of Object.entries(gpu.attributes ?? {})) {
    if (has.attributes[key] !== value) return 'gpu-model';
  }
  return undefined;
}

/** Thousandths of one device that the shape takes on a node whose devices have so much memory. */
export function milliOn(need: GpuNeed, deviceMemoryMiB: number): number {
  switch (need.kind) {
    case 'none':
    case 'slice':
      return 0;
    case 'whole':
    case 'claim':
      return 1000;
    case 'fraction':
      return Math.max(need.milli, leastPart(need.sharing));
    case 'memory':
      return Math.max(Math.ceil((need.memoryMiB * 1000) / Math.max(1, deviceMemoryMiB)), leastPart(need.sharing));
  }
}

/** A device serves at most 48 clients of MPS, so that none takes less than a 48th, rounded up. */
function leastPart(sharing: Sharing): number {
  return sharing === 'mps' ? 21 : 1;
}

/**
 * Milli-GPU that one replica counts against quotas, wherever it lies. A request by memory counts as its part of the
 * smallest device that it allows, and as a whole one where it does not say which that is.
 */
export function quotaMilliGpu(gpu: GpuRequest | undefined): number {
  if (gpu === undefined) return 0;
  switch (gpu.kind) {
    case 'whole':
      return gpu.count * 1000;
    case 'fraction':
      return Math.max(gpu.milli, leastPart(gpu.sharing ?? 'time-slice'));
    case 'memory':
      return Math.min(1000, Math.ceil((gpu.memoryMiB * 1000) / (gpu.minMemoryMiB ?? gpu.memoryMiB)));
    case 'claim':
      return gpu.requests.reduce((sum, { count, upTo }) => sum + (upTo ?? count) * 1000, 0);
    case 'slice':
      return Math.round(gpu.count * sliceMilli(gpu.profile));
  }
}

/** A MIG profile `Ng.…` is N sevenths of a device (NVIDIA MIG user guide); a name that says nothing counts whole. */
export function sliceMilli(profile: string): number {
  const parts = /mig-(\d)g\./.exec(profile)?.[1];
  return parts === undefined ? 1000 : (Number(parts) * 1000) / 7;
}

/** Devices that one replica takes entirely. */
export function wholeDevices(need: GpuNeed): number {
  if (need.kind === 'whole') return need.count;
  return need.kind === 'claim' ? need.claim.requests.reduce((sum, { count }) => sum + count, 0) : 0;
}
