import { allocateMost, choicesOf } from '../model/claim-packing.ts';
import { allocate, attributesOf, type Claim, type DeviceAttributes } from '../model/claims.ts';
import type { Node, Sharing } from '../model/model.ts';
import { at } from '../model/quantities.ts';
import { type GpuNeed, milliOn } from '../model/shapes.ts';

/** Devices of one node lie in a row of so many entries. */
const STRIDE = 64;

/** Devices of all nodes and what is left of them, in dense arrays by node number. */
export class DeviceTable {
  /** Free thousandths of each device. */
  #free = new Int32Array(8 * STRIDE);
  /** Jobs on each device that share it by time slices, and by MPS. Both only while a trial books more than there is. */
  #sliced = new Uint16Array(8 * STRIDE);
  #mps = new Uint16Array(8 * STRIDE);
  /** Devices of a node, and how many of them nobody uses. */
  count = new Int32Array(8);
  idle = new Int32Array(8);
  /** The most that one device has left, and that one has left for a part of either kind. */
  best = new Int32Array(8);
  /** What all devices of a node have left. */
  sum = new Int32Array(8);
  #bestSliced = new Int32Array(8);
  #bestMps = new Int32Array(8);
  readonly #memoryMiB: number[] = [];
  readonly #attributes: (readonly DeviceAttributes[])[] = [];

  put(node: number, spec: Node): void {
    const devices = spec.gpu?.count ?? 0;
    for (let d = at(this.count, node); d < devices; d += 1) this.#clear(node * STRIDE + d, 1000);
    for (let d = devices; d < STRIDE; d += 1) this.#clear(node * STRIDE + d, 0);
    this.count[node] = devices;
    this.#memoryMiB[node] = spec.gpu?.memoryMiB ?? 0;
    this.#attributes[node] = spec.gpu === undefined ? [] : attributesOf(spec.gpu);
    this.#summarize(node);
  }

  freeMilli(node: number, device: number): number {
    return at(this.#free, node * STRIDE + device);
  }

  /** Whether one more replica's devices are there. */
  fits(node: number, need: GpuNeed): boolean {
    switch (need.kind) {
      case 'none':
      case 'slice':
        return true;
      case 'whole':
        return at(this.idle, node) >= need.count;
      case 'fraction':
      case 'memory':
        return this.#bestFor(node, need.sharing) >= this.#milli(node, need);
      case 'claim':
        return at(this.idle, node) > 0 && this.#claimed(node, need.claim, this.#idleOf(node)) !== undefined;
    }
  }

  /** Whether a part would have room if its device were not shared in the other way. */
  isOtherwiseShared(node: number, need: GpuNeed): boolean {
    if (need.kind !== 'fraction' && need.kind !== 'memory') return false;
    return at(this.best, node) >= this.#milli(node, need) && !this.fits(node, need);
  }

  /** How many more replicas' devices are there. */
  room(node: number, need: GpuNeed): number {
    switch (need.kind) {
      case 'none':
      case 'slice':
        return Infinity;
      case 'whole':
        return Math.floor(at(this.idle, node) / need.count);
      case 'fraction':
      case 'memory': {
        const milli = this.#milli(node, need);
        let fits = 0;
        for (let d = 0; d < at(this.count, node); d += 1) {
          if (this.#takes(node * STRIDE + d, need.sharing)) fits += Math.floor(this.freeMilli(node, d) / milli);
        }
        return fits;
      }
      case 'claim':
        return at(this.idle, node) === 0 ? 0 : this.#claims(node, need.claim).length;
    }
  }

  /**
   * Devices for one replica: whole ones by number, those of a claim so that as many more as can have room, a part from the device that it leaves
   * fullest.
   */
  choose(node: number, need: GpuNeed): readonly number[] {
    switch (need.kind) {
      case 'none':
      case 'slice':
        return [];
      case 'whole': {
        const chosen: number[] = [];
        for (let d = 0; d < at(this.count, node) && chosen.length < need.count; d += 1) {
          if (this.freeMilli(node, d) === 1000) chosen.push(d);
        }
        return chosen;
      }
      case 'fraction':
      case 'memory': {
        let best = -1;
        for (const d of this.partDevices(node, need, 0)) {
          if (best < 0 || this.freeMilli(node, d) < this.freeMilli(node, best)) best = d;
        }
        return best < 0 ? [] : [best];
      }
      case 'claim':
        return this.#claims(node, need.claim)[0] ?? [];
    }
  }

  /** Devices from one on that have room for a part. */
  partDevices(node: number, need: GpuNeed, from: number): readonly number[] {
    if (need.kind !== 'fraction' && need.kind !== 'memory') return [];
    const milli = this.#milli(node, need);
    const devices: number[] = [];
    for (let d = from; d < at(this.count, node); d += 1) {
      if (this.freeMilli(node, d) >= milli && this.#takes(node * STRIDE + d, need.sharing)) devices.push(d);
    }
    return devices;
  }

  /** Every choice of devices for one replica; undefined where they are too many to be tried. */
  hands(node: number, need: GpuNeed): readonly (readonly number[])[] | undefined {
    switch (need.kind) {
      case 'none':
      case 'slice':
        return [[]];
      case 'fraction':
      case 'memory':
        return this.partDevices(node, need, 0).map((device) => [device]);
      case 'whole':
        return choicesOf(this.#idleDevices(node), need.count);
      case 'claim': {
        const { requests } = need.claim;
        if (requests.some(({ all }) => all)) return [this.choose(node, need)];
        const choices = choicesOf(
          this.#idleDevices(node),
          requests.reduce((sum, { count }) => sum + count, 0),
        );
        return choices?.filter((choice) => {
          const only = this.#idleOf(node).map((idle, device) => idle && choice.includes(device));
          return this.#claimed(node, need.claim, only) !== undefined;
        });
      }
    }
  }

  /** Takes a replica's devices (-1) or gives them back (1). */
  move(node: number, need: GpuNeed, gpus: readonly number[], sign: 1 | -1): void {
    const milli = this.#milli(node, need);
    const part = need.kind === 'fraction' || need.kind === 'memory';
    for (const d of gpus) {
      const place = node * STRIDE + d;
      this.#free[place] = at(this.#free, place) + sign * milli;
      if (!part) continue;
      const clients = need.sharing === 'mps' ? this.#mps : this.#sliced;
      clients[place] = (clients[place] as number) - sign;
    }
    this.#summarize(node);
  }

  grow(capacity: number): void {
    this.#free = widened(this.#free, new Int32Array(capacity * STRIDE));
    this.#sliced = widened(this.#sliced, new Uint16Array(capacity * STRIDE));
    this.#mps = widened(this.#mps, new Uint16Array(capacity * STRIDE));
    this.count = widened(this.count, new Int32Array(capacity));
    this.idle = widened(this.idle, new Int32Array(capacity));
    this.sum = widened(this.sum, new Int32Array(capacity));
    this.best = widened(this.best, new Int32Array(capacity));
    this.#bestSliced = widened(this.#bestSliced, new Int32Array(capacity));
    this.#bestMps = widened(this.#bestMps, new Int32Array(capacity));
  }

  #clear(place: number, free: number): void {
    this.#free[place] = free;
    this.#sliced[place] = 0;
    this.#mps[place] = 0;
  }

  #milli(node: number, need: GpuNeed): number {
    return milliOn(need, this.#memoryMiB[node] ?? 0);
  }

  #bestFor(node: number, sharing: Sharing): number {
    return at(sharing === 'mps' ? this.#bestMps : this.#bestSliced, node);
  }

  /** Whether a device is not shared in the other way. */
  #takes(place: number, sharing: Sharing): boolean {
    return (sharing === 'mps' ? this.#sliced : this.#mps)[place] === 0;
  }

  #idleOf(node: number): readonly boolean[] {
    return Array.from({ length: at(this.count, node) }, (_, d) => this.freeMilli(node, d) === 1000);
  }

  #idleDevices(node: number): readonly number[] {
    return this.#idleOf(node).flatMap((idle, device) => (idle ? [device] : []));
  }

  #claimed(node: number, claim: Claim, idle: readonly boolean[]): readonly number[] | undefined {
    return allocate(claim, this.#attributes[node] ?? [], idle);
  }

  /** Devices of as many replicas as there is room for. */
  #claims(node: number, claim: Claim): readonly (readonly number[])[] {
    return allocateMost(claim, this.#attributes[node] ?? [], this.#idleOf(node));
  }

  #summarize(node: number): void {
    let [sum, idle, best, sliced, mps] = [0, 0, 0, 0, 0];
    for (let d = 0; d < at(this.count, node); d += 1) {
      const place = node * STRIDE + d;
      const free = at(this.#free, place);
      sum += free;
      if (free === 1000) idle += 1;
      if (free > best) best = free;
      if (free > sliced && this.#takes(place, 'time-slice')) sliced = free;
      if (free > mps && this.#takes(place, 'mps')) mps = free;
    }
    this.sum[node] = sum;
    this.idle[node] = idle;
    this.best[node] = best;
    this.#bestSliced[node] = sliced;
    this.#bestMps[node] = mps;
  }
}

export function widened<T extends Float64Array | Int32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
