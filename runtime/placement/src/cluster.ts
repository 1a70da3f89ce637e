import { isShare, type NodeShape, type Placement, type PodRequest, WHOLE_GPU } from './terms.ts';

/**
 * What is free on every node, in dense arrays indexed by node, with a log of the nodes that changed. Policies read it
 * and never write. It lives as long as the cluster that it pictures; `allocate` and `release` refuse what cannot be.
 *
 * Nodes stand in the order they are given in, and the lowest index wins ties: give them in an order that means
 * something (by name, say), and decisions do not depend on where the list came from.
 */
export class Cluster {
  readonly shapes: readonly NodeShape[];
  /** GPUs on the node with the most: node n's GPUs are at n·stride … n·stride + gpuCount[n] − 1 of `gpuFree`. */
  readonly stride: number;
  readonly cpuFree: Int32Array;
  readonly memoryFree: Int32Array;
  readonly gpuFree: Int32Array;
  readonly gpuCount: Int32Array;
  /** Number of idle GPUs by node. */
  readonly idle: Int32Array;
  /** Free milli-GPU of the node's GPU with the most. */
  readonly largest: Int32Array;
  /** Free milli-GPU by node. */
  readonly gpuSum: Int32Array;
  /** Index into `models` by node. */
  readonly model: Int32Array;
  readonly models: readonly string[];
  /** Milli-GPU of all nodes. */
  readonly gpuCapacity: number;
  /** Milli-CPU of all nodes. */
  readonly cpuCapacity: number;
  #allocated = 0;
  readonly #log: Int32Array;
  #changes = 0;

  constructor(nodes: readonly NodeShape[]) {
    this.shapes = nodes;
    const count = nodes.length;
    this.stride = Math.max(1, ...nodes.map(({ gpus }) => gpus));
    this.models = [...new Set(nodes.map(({ model }) => model))].sort();
    this.cpuFree = Int32Array.from(nodes, ({ cpuMilli }) => cpuMilli);
    this.memoryFree = Int32Array.from(nodes, ({ memoryMib }) => memoryMib);
    this.gpuCount = Int32Array.from(nodes, ({ gpus }) => gpus);
    this.gpuFree = new Int32Array(count * this.stride);
    nodes.forEach(({ gpus }, node) => {
      this.gpuFree.fill(WHOLE_GPU, node * this.stride, node * this.stride + gpus);
    });
    this.idle = Int32Array.from(this.gpuCount);
    this.largest = this.gpuCount.map((gpus) => (gpus > 0 ? WHOLE_GPU : 0));
    this.gpuSum = this.gpuCount.map((gpus) => gpus * WHOLE_GPU);
    this.model = Int32Array.from(nodes, ({ model }) => this.models.indexOf(model));
    this.gpuCapacity = nodes.reduce((sum, { gpus }) => sum + gpus * WHOLE_GPU, 0);
    this.cpuCapacity = nodes.reduce((sum, { cpuMilli }) => sum + cpuMilli, 0);
    this.#log = new Int32Array(Math.max(1, count));
  }

  get size(): number {
    return this.shapes.length;
  }

  /** Milli-GPU that Pods hold now. */
  get gpuAllocated(): number {
    return this.#allocated;
  }

  /** How often a node has changed so far; the argument of `changedSince`. */
  get changes(): number {
    return this.#changes;
  }

  /** Calls `visit` with every node that changed after the given count, or returns false if that is too long ago. */
  changedSince(count: number, visit: (node: number) => void): boolean {
    const length = this.#log.length;
    if (this.#changes - count > length) return false;
    for (let at = count; at < this.#changes; at += 1) visit(this.#log[at % length] as number);
    return true;
  }

  /** Whether the node, its model aside, has room for the request now. */
  fits(request: PodRequest, node: number): boolean {
    if ((this.cpuFree[node] as number) < request.cpuMilli) return false;
    if ((this.memoryFree[node] as number) < request.memoryMib) return false;
    if (request.gpus === 0) return true;
    return isShare(request)
      ? (this.largest[node] as number) >= request.gpuMilli
      : (this.idle[node] as number) >= request.gpus;
  }

  /** Takes the resources. @throws RangeError where the placement has not what the request asks for. */
  allocate(request: PodRequest, placement: Placement): void {
    this.#change(request, placement, 1);
  }

  /** Gives them back. @throws RangeError where more would be free than there is. */
  release(request: PodRequest, placement: Placement): void {
    this.#change(request, placement, -1);
  }

  #change(request: PodRequest, { node, gpus }: Placement, sign: 1 | -1): void {
    const shape = this.shapes[node];
    if (shape === undefined) throw new RangeError(`no node ${node}`);
    const cpu = (this.cpuFree[node] as number) - sign * request.cpuMilli;
    const memory = (this.memoryFree[node] as number) - sign * request.memoryMib;
    if (cpu < 0 || memory < 0 || cpu > shape.cpuMilli || memory > shape.memoryMib) {
      throw new RangeError(`node ${shape.name} has not the CPU or memory that is taken or given back`);
    }
    if (gpus.length !== request.gpus || new Set(gpus).size !== gpus.length) {
      throw new RangeError(`the placement on ${shape.name} has not the ${request.gpus} GPUs asked for`);
    }
    for (const gpu of gpus) {
      const free = (this.gpuFree[node * this.stride + gpu] as number) - sign * request.gpuMilli;
      if (!(gpu >= 0 && gpu < shape.gpus && free >= 0 && free <= WHOLE_GPU)) {
        throw new RangeError(`GPU ${gpu} of ${shape.name} has not the ${request.gpuMilli} milli taken or given back`);
      }
    }
    this.cpuFree[node] = cpu;
    this.memoryFree[node] = memory;
    for (const gpu of gpus) {
      const at = node * this.stride + gpu;
      this.gpuFree[at] = (this.gpuFree[at] as number) - sign * request.gpuMilli;
      this.#allocated += sign * request.gpuMilli;
    }
    this.#summarize(node);
    this.#log[this.#changes % this.#log.length] = node;
    this.#changes += 1;
  }

  #summarize(node: number): void {
    let idle = 0;
    let largest = 0;
    let sum = 0;
    const from = node * this.stride;
    for (let at = from; at < from + (this.gpuCount[node] as number); at += 1) {
      const free = this.gpuFree[at] as number;
      if (free === WHOLE_GPU) idle += 1;
      if (free > largest) largest = free;
      sum += free;
    }
    this.idle[node] = idle;
    this.largest[node] = largest;
    this.gpuSum[node] = sum;
  }
}
