import { at } from '../model/quantities.ts';
import type { Shape } from '../model/shapes.ts';
import type { PlacementPolicy } from '../policies/placement.ts';
import { accepts, type NodeTable } from './node-table.ts';

/**
 * The score of one shape on every node, kept as nodes change: a tournament tree over the nodes, so that the best is at
 * hand and a changed node costs the logarithm of their number.
 */
export class ShapeIndex {
  readonly shape: Shape;
  readonly #nodes: NodeTable;
  readonly #placement: () => PlacementPolicy;
  /** Nodes that the caller has closed to all (reservations, drains to come). */
  readonly #closed: ReadonlySet<number>;
  #score = new Float64Array(0);
  #accepted = new Uint8Array(0);
  /** Replicas that each node has room for, closed ones included, and their sum; undefined: nobody has asked. */
  #rooms: Int32Array | undefined;
  #replicas = 0;
  /** Winner of each subtree; leaves begin at #width. */
  #tree = new Int32Array(0);
  #width = 0;
  /** Changes seen, counted from the first there ever was; negative: none. */
  #seen = -1;

  constructor(shape: Shape, nodes: NodeTable, placement: () => PlacementPolicy, closed: ReadonlySet<number>) {
    this.shape = shape;
    this.#nodes = nodes;
    this.#placement = placement;
    this.#closed = closed;
  }

  /** The best node with room for one, -1 where there is none. */
  best(now: number): number {
    this.refresh(now);
    const winner = this.#width === 0 ? -1 : at(this.#tree, 1);
    return winner >= 0 && at(this.#score, winner) < Infinity ? winner : -1;
  }

  /** Whether new Pods of the shape may go there at all. */
  accepted(node: number): boolean {
    return this.#accepted[node] === 1;
  }

  /** How many replicas have room at once, on nodes that are closed to some or to all as well: a gang of more has none. */
  replicas(now: number): number {
    this.refresh(now);
    if (this.#rooms === undefined) {
      this.#rooms = new Int32Array(this.#width);
      this.#replicas = 0;
      for (let node = 0; node < this.#nodes.size; node += 1) this.#countRoom(node);
    }
    return this.#replicas;
  }

  /** Takes in what has changed since. */
  refresh(now: number): void {
    const { log, dropped, size } = this.#nodes;
    if (this.#seen < dropped || size > this.#width) this.#rebuild(now);
    for (; this.#seen < dropped + log.length; this.#seen += 1) {
      const entry = log[this.#seen - dropped] as number;
      const node = entry < 0 ? ~entry : entry;
      if (entry < 0) this.#accepted[node] = accepts(this.#nodes, node, this.shape, now) ? 1 : 0;
      this.#update(node);
    }
  }

  /** Forgets what was derived: scores are others than they were. */
  invalidate(): void {
    this.#seen = -1;
  }

  #scoreOf(node: number): number {
    if (this.#accepted[node] !== 1 || this.#closed.has(node) || !this.#nodes.fits(node, this.shape)) return Infinity;
    return this.#placement().score(this.#nodes, node, this.shape);
  }

  #countRoom(node: number): void {
    if (this.#rooms === undefined) return;
    const room = this.#accepted[node] === 1 ? this.#nodes.count(node, this.shape) : 0;
    this.#replicas += room - at(this.#rooms, node);
    this.#rooms[node] = room;
  }

  #rebuild(now: number): void {
    this.#rooms = undefined;
    const size = this.#nodes.size;
    let width = 1;
    while (width < size) width *= 2;
    if (width !== this.#width) {
      this.#width = width;
      this.#tree = new Int32Array(2 * width);
      this.#score = new Float64Array(width);
      this.#accepted = new Uint8Array(width);
    }
    for (let node = 0; node < width; node += 1) {
      const inside = node < size;
      this.#accepted[node] = inside && accepts(this.#nodes, node, this.shape, now) ? 1 : 0;
      this.#score[node] = inside ? this.#scoreOf(node) : Infinity;
      this.#tree[width + node] = node;
    }
    for (let place = width - 1; place >= 1; place -= 1) this.#play(place);
    this.#seen = this.#nodes.dropped + this.#nodes.log.length;
  }

  #update(node: number): void {
    this.#countRoom(node);
    const score = this.#scoreOf(node);
    if (score === at(this.#score, node)) return;
    this.#score[node] = score;
    for (let place = (this.#width + node) >> 1; place >= 1; place >>= 1) this.#play(place);
  }

  #play(place: number): void {
    const left = at(this.#tree, 2 * place);
    const right = at(this.#tree, 2 * place + 1);
    const a = at(this.#score, left);
    const b = at(this.#score, right);
    const leftWins = a < b || (a === b && (a === Infinity || this.#nodes.name(left) < this.#nodes.name(right)));
    this.#tree[place] = leftWins ? left : right;
  }
}
