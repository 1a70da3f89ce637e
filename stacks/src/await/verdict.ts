import type { JsonObject } from '@delos/kube';

/*
 * Readiness, judged from what the API server shows at one instant. A *verdict* says of an object: ready, waiting
 * (and for what), or failed (it cannot become ready by itself). The waiting itself is in wait.ts.
 */
export type Verdict =
  | { readonly state: 'ready' }
  | { readonly state: 'waiting'; readonly message: string }
  | { readonly state: 'failed'; readonly message: string };

export const ready: Verdict = { state: 'ready' };
export const waiting = (message: string): Verdict => ({ state: 'waiting', message });
export const failed = (message: string): Verdict => ({ state: 'failed', message });

/** Objects beside the judged one that its readiness depends on. */
export interface Surroundings {
  readonly endpointSlices: readonly JsonObject[];
  /** Deployments, StatefulSets and DaemonSets of the namespace. */
  readonly workloads: readonly JsonObject[];
  /** The StorageClass of a claim. */
  readonly storageClass: JsonObject | undefined;
  /** The object as it was when the wait began: what it said then may be of a form before this one. @default not known */
  readonly before?: JsonObject;
}

export const ALONE: Surroundings = { endpointSlices: [], workloads: [], storageClass: undefined };
