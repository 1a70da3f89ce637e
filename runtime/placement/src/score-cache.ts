import type { Cluster } from './cluster.ts';
import type { NodeFilter } from './policy.ts';
import type { PodRequest } from './terms.ts';

/** Requests of the same resources and models: one cached row of scores. */
export interface RequestClass {
  readonly id: number;
  readonly request: PodRequest;
  /** By model index of the cluster: whether it will do. */
  readonly modelAllowed: Uint8Array;
}

/** How much a policy dislikes a class on a node where it fits. Must follow from that node's own state alone. */
export type Score = (kind: RequestClass, node: number) => number;

interface Row {
  readonly kind: RequestClass;
  readonly scores: Float64Array;
  seen: number;
}

/**
 * Scores by request class and node, each computed again only after its node has changed: a decision costs what changed
 * since that class was last looked at, and one pass over an array. The lowest score wins, then the lowest index.
 */
export class ScoreCache {
  readonly #cluster: Cluster;
  readonly #score: Score;
  readonly #rows = new Map<string, Row>();
  readonly #nodeAllowed: (kind: RequestClass, node: number) => boolean;

  constructor(cluster: Cluster, score: Score) {
    this.#cluster = cluster;
    this.#score = score;
    this.#nodeAllowed = (kind, node) =>
      kind.request.gpus === 0 || kind.modelAllowed[cluster.model[node] as number] === 1;
  }

  /** The class of a request and its scores as they are now: infinite where it does not fit. Not to be kept. */
  row(request: PodRequest): { readonly kind: RequestClass; readonly scores: Float64Array } {
    const key = classKey(request);
    let row = this.#rows.get(key);
    if (row === undefined) {
      const kind = requestClass(this.#rows.size, request, this.#cluster);
      row = { kind, scores: new Float64Array(this.#cluster.size), seen: Number.NEGATIVE_INFINITY };
      this.#rows.set(key, row);
    }
    const { kind, scores } = row;
    const refresh = (node: number): void => {
      scores[node] =
        this.#nodeAllowed(kind, node) && this.#cluster.fits(kind.request, node)
          ? this.#score(kind, node)
          : Number.POSITIVE_INFINITY;
    };
    if (!this.#cluster.changedSince(row.seen, refresh))
      for (let node = 0; node < scores.length; node += 1) refresh(node);
    row.seen = this.#cluster.changes;
    return row;
  }

  /** The node with the lowest score among the allowed ones where the request fits. */
  tryBest(
    request: PodRequest,
    allowed?: NodeFilter,
  ): { readonly kind: RequestClass; readonly node: number } | undefined {
    const { kind, scores } = this.row(request);
    let best = -1;
    let lowest = Number.POSITIVE_INFINITY;
    for (let node = 0; node < scores.length; node += 1) {
      const score = scores[node] as number;
      if (score < lowest && (allowed === undefined || allowed(node))) {
        lowest = score;
        best = node;
      }
    }
    return best < 0 ? undefined : { kind, node: best };
  }
}

/** Requests with the same key are one class. */
export function classKey({ cpuMilli, memoryMib, gpus, gpuMilli, models }: PodRequest): string {
  return gpus === 0 ? `${cpuMilli} ${memoryMib}` : `${cpuMilli} ${memoryMib} ${gpus} ${gpuMilli} ${models.join('|')}`;
}

function requestClass(id: number, request: PodRequest, cluster: Cluster): RequestClass {
  const { models } = request;
  const modelAllowed = Uint8Array.from(cluster.models, (model) =>
    models.length === 0 || models.includes(model) ? 1 : 0,
  );
  return { id, request, modelAllowed };
}
