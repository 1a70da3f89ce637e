/*
 * Terminology of this room.
 *
 *   milli-CPU, milli-GPU  a thousandth of one core, of one GPU
 *   share                 a Pod's part of one GPU, 1–999 milli-GPU; the rest of that GPU stays free for other shares
 *   whole                 a Pod's GPUs taken entirely: each must be idle before
 *   model                 the GPU's product name as the node is labelled with it ('T4'); a Pod may allow some or any
 *   placement             the node, and there the GPUs, that one Pod gets
 *   policy                what chooses among the placements that fit
 */

/** GPU milli of one GPU. */
export const WHOLE_GPU = 1000;

/** What a node has. */
export interface NodeShape {
  readonly name: string;
  /** Milli-CPU that Pods may use. */
  readonly cpuMilli: number;
  /** Memory that Pods may use, in MiB. */
  readonly memoryMib: number;
  /** Number of GPUs; all of one model. */
  readonly gpus: number;
  /** The GPUs' model; the empty string on a node without GPUs. */
  readonly model: string;
}

/** What one Pod asks for. */
export interface PodRequest {
  readonly cpuMilli: number;
  readonly memoryMib: number;
  /** Number of GPUs, 0 or more. */
  readonly gpus: number;
  /** Of each of these GPUs, 1–1000 milli; less than 1000 only with one GPU. Means nothing with none. */
  readonly gpuMilli: number;
  /** Models that will do; empty: any. */
  readonly models: readonly string[];
}

/** Where a Pod goes. */
export interface Placement {
  /** Index of the node in its cluster. */
  readonly node: number;
  /** Indexes of the GPUs on that node, ascending; empty for a Pod without. */
  readonly gpus: readonly number[];
}

/** Milli-GPU that a request takes in all. */
export function totalGpuMilli(request: Pick<PodRequest, 'gpus' | 'gpuMilli'>): number {
  return request.gpus === 0 ? 0 : request.gpus * request.gpuMilli;
}

/** Whether a request is for a part of one GPU. */
export function isShare(request: Pick<PodRequest, 'gpus' | 'gpuMilli'>): boolean {
  return request.gpus === 1 && request.gpuMilli < WHOLE_GPU;
}
