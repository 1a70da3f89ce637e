import type { Node, Pool } from './model.ts';
import { at } from './quantities.ts';
import { milliOn, type Shape, sliceMilli, unsuitable } from './shapes.ts';
import { domainsOf } from './topology.ts';

/** Devices of one node lie in a row of so many entries. */
const STRIDE = 64;

/**
 * Nodes and what is left of them, in dense arrays by node number: a scan over thousands of nodes touches few cache
 * lines. Numbers are given once and stay; a node that left has no spec.
 */
export class NodeTable {
  readonly specs: (Node | undefined)[] = [];
  readonly pools: (Pool | undefined)[] = [];
  /** Names of the domains that a node lies in, by level. */
  readonly domains: (readonly string[])[] = [];
  readonly #byName = new Map<string, number>();
  milliCpu = new Float64Array(8);
  memoryMiB = new Float64Array(8);
  ephemeralMiB = new Float64Array(8);
  pods = new Int32Array(8);
  /** Free thousandths of each device. */
  gpu = new Int32Array(8 * STRIDE);
  /** Devices of a node, and how many of them nobody uses. */
  gpus = new Int32Array(8);
  idleGpus = new Int32Array(8);
  /** The most that one device has left. */
  bestGpu = new Int32Array(8);
  readonly #slices = new Map<string, Int32Array>();
  /** Nodes in the order in which they changed, `~node` where what it is has changed too; readers keep their place. */
  readonly log: number[] = [];
  readonly #touched = new Set<number>();
  /** Changes that were dropped from the front of the log: a reader that has not seen them starts anew. */
  dropped = 0;

  get size(): number {
    return this.specs.length;
  }

  numberOf(name: string): number | undefined {
    return this.#byName.get(name);
  }

  name(node: number): string {
    return this.specs[node]?.name ?? '';
  }

  /** Adds a node, empty, or replaces what it is; what is taken on it stays taken. */
  put(spec: Node, pool: Pool): number {
    const known = this.#byName.get(spec.name);
    const node = known ?? this.specs.length;
    if (known === undefined) {
      this.#byName.set(spec.name, node);
      this.#grow(node + 1);
    }
    const before = known === undefined ? undefined : this.specs[node];
    this.specs[node] = spec;
    this.pools[node] = pool;
    this.domains[node] = domainsOf(spec, pool);
    this.milliCpu[node] = at(this.milliCpu, node) + spec.milliCpu - (before?.milliCpu ?? 0);
    this.memoryMiB[node] = at(this.memoryMiB, node) + spec.memoryMiB - (before?.memoryMiB ?? 0);
    this.ephemeralMiB[node] = at(this.ephemeralMiB, node) + spec.ephemeralMiB - (before?.ephemeralMiB ?? 0);
    this.pods[node] = at(this.pods, node) + spec.pods - (before?.pods ?? 0);
    const devices = spec.gpu?.count ?? 0;
    for (let d = before?.gpu?.count ?? 0; d < devices; d += 1) this.gpu[node * STRIDE + d] = 1000;
    for (let d = devices; d < STRIDE; d += 1) this.gpu[node * STRIDE + d] = 0;
    this.gpus[node] = devices;
    for (const profile of new Set([...Object.keys(spec.slices), ...Object.keys(before?.slices ?? {})])) {
      const slices = this.#sliceArray(profile);
      slices[node] = at(slices, node) + (spec.slices[profile] ?? 0) - (before?.slices[profile] ?? 0);
    }
    this.#summarize(node);
    this.#changed(~node);
    return node;
  }

  /** Forgets a node on which nothing is taken any more. */
  remove(node: number): void {
    const spec = this.specs[node];
    if (spec === undefined) return;
    this.put(
      { ...spec, milliCpu: 0, memoryMiB: 0, ephemeralMiB: 0, pods: 0, gpu: undefined, slices: {} },
      poolOf(this, node),
    );
    this.#byName.delete(spec.name);
    this.specs[node] = undefined;
    this.pools[node] = undefined;
    this.#changed(~node);
  }

  /** Whether a node that suits the shape has room for one more of it. */
  fits(node: number, shape: Shape): boolean {
    return this.shortage(node, shape) === undefined;
  }

  /** What a node lacks for one more of the shape; undefined where it fits. */
  shortage(node: number, shape: Shape): 'gpu' | 'memory' | 'cpu' | 'ephemeral' | 'pods' | undefined {
    const need = shape.gpu;
    if (need.kind === 'whole') {
      if (at(this.idleGpus, node) < need.count) return 'gpu';
    } else if (need.kind === 'fraction') {
      if (at(this.bestGpu, node) < need.milli) return 'gpu';
    } else if (need.kind === 'memory') {
      if (at(this.bestGpu, node) < milliOn(need, this.specs[node]?.gpu?.memoryMiB ?? 0)) return 'gpu';
    } else if (need.kind === 'slice' && this.freeSlices(need.profile, node) < need.count) return 'gpu';
    if (at(this.memoryMiB, node) < shape.memoryMiB) return 'memory';
    if (at(this.milliCpu, node) < shape.milliCpu) return 'cpu';
    if (shape.ephemeralMiB > 0 && at(this.ephemeralMiB, node) < shape.ephemeralMiB) return 'ephemeral';
    if (at(this.pods, node) < 1) return 'pods';
    return undefined;
  }

  /** How many more of the shape fit on a node that suits it. */
  count(node: number, shape: Shape): number {
    let most = at(this.pods, node);
    if (shape.milliCpu > 0) most = Math.min(most, Math.floor(at(this.milliCpu, node) / shape.milliCpu));
    if (shape.memoryMiB > 0) most = Math.min(most, Math.floor(at(this.memoryMiB, node) / shape.memoryMiB));
    if (shape.ephemeralMiB > 0) most = Math.min(most, Math.floor(at(this.ephemeralMiB, node) / shape.ephemeralMiB));
    const need = shape.gpu;
    if (need.kind === 'whole') most = Math.min(most, Math.floor(at(this.idleGpus, node) / need.count));
    else if (need.kind === 'slice') most = Math.min(most, Math.floor(this.freeSlices(need.profile, node) / need.count));
    else if (need.kind !== 'none') {
      const milli = milliOn(need, this.specs[node]?.gpu?.memoryMiB ?? 0);
      let fits = 0;
      for (let d = 0; d < at(this.gpus, node); d += 1) fits += Math.floor(at(this.gpu, node * STRIDE + d) / milli);
      most = Math.min(most, fits);
    }
    return Math.max(0, most);
  }

  /**
   * Takes room for one replica and returns its devices: whole ones by number, a part from the device that it leaves
   * fullest. With `gpus` given, those.
   */
  take(node: number, shape: Shape, gpus?: readonly number[]): readonly number[] {
    const devices = gpus ?? this.#choose(node, shape);
    this.#move(node, shape, devices, -1);
    return devices;
  }

  release(node: number, shape: Shape, gpus: readonly number[]): void {
    this.#move(node, shape, gpus, 1);
  }

  /** What a node is depends on the time (a drain begins): readers look again. */
  reconsider(node: number): void {
    this.#changed(~node);
  }

  /** How many nodes have changed since this was asked. */
  takeTouched(): number {
    const touched = this.#touched.size;
    this.#touched.clear();
    return touched;
  }

  freeSlices(profile: string, node: number): number {
    const slices = this.#slices.get(profile);
    return slices === undefined ? 0 : (slices[node] ?? 0);
  }

  /** Devices from one on that have room for a part; for a shape that takes none or whole ones, one undefined. */
  partDevices(node: number, shape: Shape, from: number): readonly (number | undefined)[] {
    if (shape.gpu.kind !== 'fraction' && shape.gpu.kind !== 'memory') return [undefined];
    const milli = milliOn(shape.gpu, this.specs[node]?.gpu?.memoryMiB ?? 0);
    const devices: number[] = [];
    for (let d = from; d < at(this.gpus, node); d += 1) if (this.freeMilli(node, d) >= milli) devices.push(d);
    return devices;
  }

  freeMilli(node: number, device: number): number {
    return at(this.gpu, node * STRIDE + device);
  }

  #choose(node: number, shape: Shape): readonly number[] {
    const need = shape.gpu;
    if (need.kind === 'none' || need.kind === 'slice') return [];
    const chosen: number[] = [];
    if (need.kind === 'whole') {
      for (let d = 0; d < at(this.gpus, node) && chosen.length < need.count; d += 1) {
        if (this.freeMilli(node, d) === 1000) chosen.push(d);
      }
      return chosen;
    }
    const milli = milliOn(need, this.specs[node]?.gpu?.memoryMiB ?? 0);
    let best = -1;
    for (let d = 0; d < at(this.gpus, node); d += 1) {
      const free = this.freeMilli(node, d);
      if (free >= milli && (best < 0 || free < this.freeMilli(node, best))) best = d;
    }
    return best < 0 ? [] : [best];
  }

  #move(node: number, shape: Shape, gpus: readonly number[], sign: 1 | -1): void {
    this.milliCpu[node] = at(this.milliCpu, node) + sign * shape.milliCpu;
    this.memoryMiB[node] = at(this.memoryMiB, node) + sign * shape.memoryMiB;
    this.ephemeralMiB[node] = at(this.ephemeralMiB, node) + sign * shape.ephemeralMiB;
    this.pods[node] = at(this.pods, node) + sign;
    if (shape.gpu.kind === 'slice') {
      const slices = this.#sliceArray(shape.gpu.profile);
      slices[node] = at(slices, node) + sign * shape.gpu.count;
    } else if (gpus.length > 0) {
      const milli = milliOn(shape.gpu, this.specs[node]?.gpu?.memoryMiB ?? 0);
      for (const d of gpus) this.gpu[node * STRIDE + d] = at(this.gpu, node * STRIDE + d) + sign * milli;
      this.#summarize(node);
    }
    this.#changed(node);
  }

  #summarize(node: number): void {
    let idle = 0;
    let best = 0;
    for (let d = 0; d < at(this.gpus, node); d += 1) {
      const free = at(this.gpu, node * STRIDE + d);
      if (free === 1000) idle += 1;
      if (free > best) best = free;
    }
    this.idleGpus[node] = idle;
    this.bestGpu[node] = best;
  }

  #changed(entry: number): void {
    if (this.log.length > 4 * this.size + 1024) {
      const half = this.log.length >> 1;
      this.log.copyWithin(0, half);
      this.log.length -= half;
      this.dropped += half;
    }
    this.log.push(entry);
    this.#touched.add(entry < 0 ? ~entry : entry);
  }

  #sliceArray(profile: string): Int32Array {
    let slices = this.#slices.get(profile);
    if (slices === undefined || slices.length < this.pods.length) {
      const grown = new Int32Array(this.pods.length);
      if (slices !== undefined) grown.set(slices);
      slices = grown;
      this.#slices.set(profile, slices);
    }
    return slices;
  }

  #grow(size: number): void {
    if (size <= this.pods.length) return;
    const capacity = Math.max(size, this.pods.length * 2);
    this.milliCpu = widened(this.milliCpu, new Float64Array(capacity));
    this.memoryMiB = widened(this.memoryMiB, new Float64Array(capacity));
    this.ephemeralMiB = widened(this.ephemeralMiB, new Float64Array(capacity));
    this.pods = widened(this.pods, new Int32Array(capacity));
    this.gpu = widened(this.gpu, new Int32Array(capacity * STRIDE));
    this.gpus = widened(this.gpus, new Int32Array(capacity));
    this.idleGpus = widened(this.idleGpus, new Int32Array(capacity));
    this.bestGpu = widened(this.bestGpu, new Int32Array(capacity));
  }
}

function widened<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function poolOf(table: NodeTable, node: number): Pool {
  return table.pools[node] ?? { name: '', cluster: '', labels: {}, taints: [] };
}

/** Whether new Pods of the shape may go to a node by what it is and by its state at an instant. */
export function accepts(table: NodeTable, node: number, shape: Shape, now: number): boolean {
  const spec = table.specs[node];
  const pool = table.pools[node];
  if (spec === undefined || pool === undefined || !spec.ready || spec.cordoned) return false;
  if (spec.drainAt !== undefined && now >= spec.drainAt) return false;
  return unsuitable(shape, spec, pool) === undefined;
}

/** What a ready node has, in the order of DIMENSIONS; nothing where it is not ready. */
export function capacityOf(spec: Node | undefined): Float64Array {
  if (spec === undefined || !spec.ready) return new Float64Array(5);
  const slices = Object.entries(spec.slices).reduce((sum, [profile, n]) => sum + n * sliceMilli(profile), 0);
  const milliGpu = (spec.gpu?.count ?? 0) * 1000 + Math.round(slices);
  return Float64Array.of(0, spec.milliCpu, spec.memoryMiB, milliGpu, 0);
}
