import { classKey } from './score-cache.ts';
import { isShare, type NodeShape, type PodRequest, totalGpuMilli, WHOLE_GPU } from './terms.ts';

/** A linear program: maximize gain·x where rows·x ≤ limit (or = limit), 0 ≤ x ≤ most. */
export interface LinearProgram {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

export interface Column {
  readonly gain: number;
  /** No solution has more of it; finite. */
  readonly most: number;
  /** Rows in which it stands, with its coefficient there. */
  readonly entries: readonly (readonly [row: number, coefficient: number])[];
}

export interface Row {
  readonly limit: number;
  readonly equal: boolean;
}

/** Rows are reckoned in cores and GiB, so that coefficients lie near 1. */
const CPU_UNIT = 1000;
const MEMORY_UNIT = 1024;

/** Prices of the rows at a solution, in row order (the dual of a maximization, ≥ 0 for ≤ rows). They need not be exact. */
export type Solver = (program: LinearProgram) => readonly number[];

/**
 * Milli-GPU that no policy can allocate, of these Pods on these nodes.
 *
 * Proof. Take any placement of any of the Pods that overcommits nothing, and let x[k, t] be the number of Pods of class
 * k on nodes of shape t. It satisfies `relaxation`'s rows: for each class, no more Pods than came; for each shape, CPU
 * and memory within what its nodes have together; for each shape, GPUs taken by whole Pods plus GPUs that carry shares
 * within its GPUs; Pods of g GPUs at most ⌊GPUs of a node / g⌋ a node; and the shares of each GPU, put in descending
 * order, are a path from 0 to 1000 in the graph of `shareArcs`, so that all of them together are a flow. So the
 * program's optimum is at least what was allocated; and by weak duality the sum below is at least the optimum, for any
 * prices whatever: max gain·x ≤ Σ price·limit + Σ most·max(0, gain − price·column). A solver that errs only makes the
 * bound looser. ∎
 *
 * What it leaves out: that a node's CPU and GPUs are not another's, and that Pods come one after another and are placed
 * while they fit.
 */
export function allocationBound(nodes: readonly NodeShape[], pods: readonly PodRequest[], solve: Solver): number {
  const program = relaxation(nodes, pods);
  const capacity = nodes.reduce((sum, { gpus }) => sum + gpus * WHOLE_GPU, 0);
  const prices = solve(program);
  return Math.min(capacity, dualValue(program, prices));
}

/** What any prices prove: no solution of the program gains more. */
export function dualValue({ columns, rows }: LinearProgram, prices: readonly number[]): number {
  const price = rows.map(({ equal }, row) => (equal ? (prices[row] ?? 0) : Math.max(0, prices[row] ?? 0)));
  let value = rows.reduce((sum, { limit }, row) => sum + limit * (price[row] as number), 0);
  for (const { gain, most, entries } of columns) {
    const rest = entries.reduce((sum, [row, coefficient]) => sum - coefficient * (price[row] as number), gain);
    if (rest > 0) value += rest * most;
  }
  return value;
}

/** The program of `allocationBound`. */
export function relaxation(nodes: readonly NodeShape[], pods: readonly PodRequest[]): LinearProgram {
  const shapes = counted(nodes, ({ cpuMilli, memoryMib, gpus, model }) => `${cpuMilli} ${memoryMib} ${gpus} ${model}`);
  const classes = counted(pods, classKey);
  const rows: Row[] = [];
  const columns: Column[] = [];
  const row = (limit: number, equal = false): number => rows.push({ limit, equal }) - 1;

  const shareGpus = row(0);
  const asks = [...new Set(classes.filter(({ of }) => isShare(of)).map(({ of }) => of.gpuMilli))].sort((a, b) => b - a);
  const shareRow = new Map(asks.map((ask) => [ask, row(0)]));
  const classRows = classes.map(({ count }) => row(count));
  for (const { of: shape, count } of shapes) {
    const gpus = count * shape.gpus;
    const cpu = row((count * shape.cpuMilli) / CPU_UNIT);
    const memory = row((count * shape.memoryMib) / MEMORY_UNIT);
    const gpu = row(gpus);
    const perNode = new Map<number, number>();
    columns.push({
      gain: 0,
      most: gpus,
      entries: [
        [gpu, 1],
        [shareGpus, -1],
      ],
    });
    classes.forEach(({ of: pod, count: came }, index) => {
      if (pod.cpuMilli > shape.cpuMilli || pod.memoryMib > shape.memoryMib || pod.gpus > shape.gpus) return;
      if (pod.gpus === 0) return;
      if (pod.models.length > 0 && !pod.models.includes(shape.model)) return;
      const entries: [number, number][] = [[classRows[index] as number, 1]];
      if (pod.cpuMilli > 0) entries.push([cpu, pod.cpuMilli / CPU_UNIT]);
      if (pod.memoryMib > 0) entries.push([memory, pod.memoryMib / MEMORY_UNIT]);
      if (isShare(pod)) entries.push([shareRow.get(pod.gpuMilli) as number, 1]);
      else {
        entries.push([gpu, pod.gpus]);
        if (pod.gpus > 1) {
          let limit = perNode.get(pod.gpus);
          if (limit === undefined) {
            limit = row(count * Math.floor(shape.gpus / pod.gpus));
            perNode.set(pod.gpus, limit);
          }
          entries.push([limit, 1]);
        }
      }
      columns.push({ gain: totalGpuMilli(pod), most: Math.min(came, count * mostOnNode(pod, shape)), entries });
    });
  }

  const total = nodes.reduce((sum, { gpus }) => sum + gpus, 0);
  const points = new Map<number, number>();
  for (const { from, to, ask } of shareArcs(asks)) {
    for (const point of [from, to]) if (point > 0 && !points.has(point)) points.set(point, row(0, true));
    const entries: [number, number][] = [[shareRow.get(ask) as number, -1]];
    if (from === 0) entries.push([shareGpus, 1]);
    else entries.push([points.get(from) as number, 1]);
    entries.push([points.get(to) as number, -1]);
    columns.push({ gain: 0, most: total, entries });
  }
  for (const point of points.values()) columns.push({ gain: 0, most: total, entries: [[point, 1]] });
  return { columns, rows };
}

/** Ways to put one share more on a GPU that carries `from` milli of shares that ask no less (J. M. Valério de Carvalho, 1999). */
function shareArcs(descending: readonly number[]): readonly { from: number; to: number; ask: number }[] {
  const reached = new Set([0]);
  const arcs: { from: number; to: number; ask: number }[] = [];
  for (const ask of descending) {
    for (const from of [...reached].sort((a, b) => a - b)) {
      for (let at = from; at + ask <= WHOLE_GPU; at += ask) {
        if (at !== from && reached.has(at)) break;
        arcs.push({ from: at, to: at + ask, ask });
      }
    }
    for (const arc of arcs) reached.add(arc.to);
  }
  return arcs;
}

function mostOnNode(pod: PodRequest, shape: NodeShape): number {
  const perGpu = isShare(pod) ? Math.floor(WHOLE_GPU / pod.gpuMilli) : 1;
  return Math.floor((shape.gpus * perGpu) / pod.gpus);
}

function counted<T>(
  things: readonly T[],
  key: (thing: T) => string,
): readonly { readonly of: T; readonly count: number }[] {
  const groups = new Map<string, { of: T; count: number }>();
  for (const thing of things) {
    const group = groups.get(key(thing));
    if (group === undefined) groups.set(key(thing), { of: thing, count: 1 });
    else group.count += 1;
  }
  return [...groups.values()];
}
