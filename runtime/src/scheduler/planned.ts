import type { JobPodSpec, NodeReport, Quota, Share } from '@delos/core';

/** A job as the scheduler sees it, all of it from its row. */
export interface PlannedJob {
  readonly id: string;
  readonly org: string;
  readonly project: string;
  readonly owner: string;
  readonly preset: string;
  readonly resources: JobPodSpec['resources'];
  /** Pools that may hold it; empty: any. */
  readonly pools: readonly string[];
  /** -1, 0, 1. */
  readonly priority: number;
  readonly createdAt: Date;
  readonly lifeSpanMinutes: number | null;
  /** Set once it was admitted and while its container has not ended. */
  readonly active: ActivePlace | undefined;
}

export interface ActivePlace {
  readonly pool: string;
  /** Null: its Pod is not bound yet. */
  readonly node: string | null;
  /** Where it was expected to be bound; null: nobody remembers. */
  readonly planned: string | null;
  /** Of its container, or its admission as long as that has not started. */
  readonly since: Date;
}

export type ReportedNode = NodeReport;

/** What the administrator has configured. */
export interface Facts {
  readonly presets: readonly {
    readonly name: string;
    readonly resources: JobPodSpec['resources'];
    readonly pools: readonly string[];
  }[];
  readonly organizations: readonly ScopeFacts[];
  readonly projects: readonly (ScopeFacts & { readonly org: string })[];
  /** Those of whom more is said than that they are there. */
  readonly members: readonly {
    readonly org: string;
    readonly project: string;
    readonly user: string;
    readonly share: Share;
  }[];
}

export interface ScopeFacts {
  readonly name: string;
  readonly quota: Quota;
  readonly share: Share;
}
