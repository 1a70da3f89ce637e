import type { Node, Pool } from '../model/model.ts';
import { at } from '../model/quantities.ts';
import { type Shape, sliceMilli, unsuitable } from '../model/shapes.ts';
import { DeviceTable, widened } from './device-table.ts';
import { domainsOf } from './topology.ts';

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
  readonly #devices = new DeviceTable();
  readonly #slices = new Map<string, Int32Array>();
  /** Nodes in the order in which they changed, `~node` where what it is has changed too; readers keep their place. */
  readonly log: number[] = [];
  /** Nodes that have changed since somebody cleared it. */
  readonly touched = new Set<number>();
  #order: readonly number[] | undefined;
  #quiet = 0;
  readonly #names: string[] = [];
  /** Changes that were dropped from the front of the log: a reader that has not seen them starts anew. */
  dropped = 0;

  /** Which device of a node a part goes to; undefined: the one that it leaves fullest. */
  preferDevice: ((nodes: NodeTable, node: number, shape: Shape) => number) | undefined;

  get size(): number {
    return this.specs.length;
  }

  /** Devices of each node. */
  get gpus(): Int32Array {
    return this.#devices.count;
  }

  /** How many of them nobody uses. */
  get idleGpus(): Int32Array {
    return this.#devices.idle;
  }

  /** The most that one device of each node has left, in thousandths. */
  get bestGpu(): Int32Array {
    return this.#devices.best;
  }

  /** Free thousandths of all devices of each node together. */
  get freeGpu(): Int32Array {
    return this.#devices.sum;
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
      this.#order = undefined;
      this.#names[node] = spec.name;
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
    this.#devices.put(node, spec);
    for (const profile of new Set([...Object.keys(spec.slices), ...Object.keys(before?.slices ?? {})])) {
      const slices = this.#sliceArray(profile);
      slices[node] = at(slices, node) + (spec.slices[profile] ?? 0) - (before?.slices[profile] ?? 0);
    }
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
    this.#order = undefined;
    this.specs[node] = undefined;
    this.pools[node] = undefined;
    this.#changed(~node);
  }

  /** Numbers of the nodes there are, by name. */
  get byName(): readonly number[] {
    this.#order ??= [...this.#byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, node]) => node);
    return this.#order;
  }

  /**
   * Takes and gives back for a question, of which nobody is told: `look` leaves all as it was, and asks nobody but this table
   * in between.
   */
  trial<T>(look: () => T): T {
    this.#quiet += 1;
    try {
      return look();
    } finally {
      this.#quiet -= 1;
    }
  }

  /** Whether a node that suits the shape has room for one more of it. */
  fits(node: number, shape: Shape): boolean {
    return this.shortage(node, shape) === undefined;
  }

  /** What a node lacks for one more of the shape; undefined where it fits. */
  shortage(node: number, shape: Shape): 'gpu' | 'gpu-sharing' | 'memory' | 'cpu' | 'ephemeral' | 'pods' | undefined {
    const need = shape.gpu;
    if (need.kind === 'slice') {
      if (this.freeSlices(need.profile, node) < need.count) return 'gpu';
    } else if (!this.#devices.fits(node, need)) {
      return this.#devices.isOtherwiseShared(node, need) ? 'gpu-sharing' : 'gpu';
    }
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
    if (need.kind === 'slice') most = Math.min(most, Math.floor(this.freeSlices(need.profile, node) / need.count));
    else most = Math.min(most, this.#devices.room(node, need));
    return Math.max(0, most);
  }

  /** Takes room for one replica and returns its devices; with `gpus` given, those. */
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

  /** The name of a node, or that of one that has left. */
  lastName(node: number): string {
    return this.#names[node] ?? '';
  }

  freeSlices(profile: string, node: number): number {
    const slices = this.#slices.get(profile);
    return slices === undefined ? 0 : (slices[node] ?? 0);
  }

  /** Devices from one on that have room for a part; for a shape that takes none or whole ones, one undefined. */
  partDevices(node: number, shape: Shape, from: number): readonly (number | undefined)[] {
    if (shape.gpu.kind !== 'fraction' && shape.gpu.kind !== 'memory') return [undefined];
    return this.#devices.partDevices(node, shape.gpu, from);
  }

  /** Every choice of devices for one replica; undefined where they are too many to be tried. */
  hands(node: number, shape: Shape): readonly (readonly number[])[] | undefined {
    return this.#devices.hands(node, shape.gpu);
  }

  freeMilli(node: number, device: number): number {
    return this.#devices.freeMilli(node, device);
  }

  #choose(node: number, shape: Shape): readonly number[] {
    const part = shape.gpu.kind === 'fraction' || shape.gpu.kind === 'memory';
    if (part && this.preferDevice !== undefined) return [this.preferDevice(this, node, shape)];
    return this.#devices.choose(node, shape.gpu);
  }

  #move(node: number, shape: Shape, gpus: readonly number[], sign: 1 | -1): void {
    this.milliCpu[node] = at(this.milliCpu, node) + sign * shape.milliCpu;
    this.memoryMiB[node] = at(this.memoryMiB, node) + sign * shape.memoryMiB;
    this.ephemeralMiB[node] = at(this.ephemeralMiB, node) + sign * shape.ephemeralMiB;
    this.pods[node] = at(this.pods, node) + sign;
    if (shape.gpu.kind === 'slice') {
      const slices = this.#sliceArray(shape.gpu.profile);
      slices[node] = at(slices, node) + sign * shape.gpu.count;
    } else if (gpus.length > 0) this.#devices.move(node, shape.gpu, gpus, sign);
    this.#changed(node);
  }

  #changed(entry: number): void {
    if (this.#quiet > 0) return;
    if (this.log.length > 4 * this.size + 1024) {
      const half = this.log.length >> 1;
      this.log.copyWithin(0, half);
      this.log.length -= half;
      this.dropped += half;
    }
    this.log.push(entry);
    this.touched.add(entry < 0 ? ~entry : entry);
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
    this.#devices.grow(capacity);
  }
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
