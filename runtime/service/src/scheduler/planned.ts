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
  /** It may be preempted. */
  readonly preemptible: boolean;
  /** Number of its run, from 0; of the next while it waits. */
  readonly run: number;
  readonly createdAt: Date;
  /** What is left of it, earlier runs being counted. */
  readonly lifeSpanMinutes: number | null;
  /** Those that it mounts. */
  readonly disks: readonly PlannedDisk[];
  /** Set once it was admitted and while its container has not ended. */
  readonly active: ActivePlace | undefined;
}

export interface PlannedDisk {
  readonly id: string;
  /** For people. */
  readonly name: string;
  readonly readOnly: boolean;
  /** After the name: why it cannot be mounted; null where it can. */
  readonly missing: string | null;
  /** Nodes that it can be mounted on; null: any. */
  readonly nodes: readonly string[] | null;
}

export interface ActivePlace {
  readonly pool: string;
  /** Null: its Pod is not bound yet. */
  readonly node: string | null;
  /** Where it was expected to be bound; null: nobody remembers. */
  readonly planned: string | null;
  /** Of its container, or its admission as long as that has not started. */
  readonly since: Date;
  /** It is stopping: it was told to end, or was preempted. */
  readonly leaving: boolean;
}

export type ReportedNode = NodeReport;

/** What the administrator has configured. */
export interface Facts {
  /** So long after its start no job is preempted. */
  readonly minRunSeconds: number;
  readonly presets: readonly {
    readonly name: string;
    readonly resources: JobPodSpec['resources'];
    readonly pools: readonly string[];
    readonly preemptible: boolean;
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
  /** Those whose jobs in all projects of an organization are limited. */
  readonly people: readonly { readonly org: string; readonly user: string; readonly quota: Quota }[];
}

export interface ScopeFacts {
  readonly name: string;
  readonly quota: Quota;
  readonly share: Share;
}

/** What to do now, and when to ask again though nothing happens. */
export interface Plan {
  /** Jobs to preempt. Those that take their places are admitted once these have ended. */
  readonly preemptions: readonly Preemption[];
  readonly admissions: readonly Admission[];
  /** Milliseconds since 1970; Infinity: there is no need. */
  readonly next: number;
}

export interface Preemption {
  readonly id: string;
  readonly run: number;
  /** For whom, and by which rule. */
  readonly description: string;
}

export interface Admission {
  readonly id: string;
  readonly pool: string;
  /** Where it is expected to run; Kubernetes is asked to prefer that, and may choose another node of the pool. */
  readonly node: string;
}
