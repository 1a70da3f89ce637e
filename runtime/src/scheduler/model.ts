import type { NodeReport, Quota } from '@delos/core';

/*
 * What the scheduler decides on, as plain data: state in, decisions out. Nothing here knows of a database, so that a
 * test, a simulation or another policy can use it as it is.
 *
 * CPU is counted in millicores: sums of tenths of a core must be exact.
 */

export interface Needs {
  readonly milliCpu: number;
  /** Bytes. */
  readonly memory: number;
  /** Whole devices by extended resource name. */
  readonly extended: Readonly<Record<string, number>>;
}

export interface QueuedJob {
  readonly id: string;
  readonly org: string;
  readonly project: string;
  /** Higher first. */
  readonly priority: number;
  readonly createdAt: Date;
  readonly needs: Needs;
  /** Pools that may hold it; empty: any. */
  readonly pools: readonly string[];
}

/** A job that was admitted and whose container has not ended. */
export interface ActiveJob {
  readonly id: string;
  readonly org: string;
  readonly project: string;
  readonly needs: Needs;
  readonly pool: string;
  /** Null: its Pod is not bound yet. */
  readonly node: string | null;
}

export interface SchedulerState {
  readonly now: Date;
  readonly nodes: readonly NodeReport[];
  readonly active: readonly ActiveJob[];
  readonly queued: readonly QueuedJob[];
  /** By `org`. */
  readonly orgQuotas: ReadonlyMap<string, Quota>;
  /** By `org/project`. */
  readonly projectQuotas: ReadonlyMap<string, Quota>;
}

export interface Admission {
  readonly id: string;
  readonly pool: string;
  /** Where it was expected to fit; Kubernetes chooses the node within the pool. */
  readonly node: string;
}

export interface Waiting {
  readonly id: string;
  readonly reason: 'QuotaExhausted' | 'NoCapacity';
  readonly description: string;
}

export interface Decisions {
  readonly admit: readonly Admission[];
  readonly waiting: readonly Waiting[];
}

export function needsOf(resources: {
  readonly cpu: number;
  readonly memory: number;
  readonly extended: Readonly<Record<string, number>>;
}): Needs {
  return { milliCpu: Math.ceil(resources.cpu * 1000 - 1e-6), memory: resources.memory, extended: resources.extended };
}
