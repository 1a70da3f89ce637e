import type { JobPhase, JobStatus, PodObservation, UnwantedEnd } from '@delos/core';

/** What is known of a job, as far as its life depends on it. */
export interface JobState {
  readonly phase: JobPhase;
  readonly status: JobStatus;
  readonly reason: string | null;
  readonly description: string | null;
  readonly exitCode: number | null;
  /** Containers started before the last, over all runs: the number of the last one's log. */
  readonly restarts: number;
  readonly preemptible: boolean;
  /** Whether another run follows one that was put out by its node or lost with it. */
  readonly comesBack: boolean;
  /** Number of the run (of the next, in the queue), from 0. */
  readonly run: number;
  /** Number of this run's first attempt. */
  readonly firstAttempt: number;
  /** Of earlier runs. */
  readonly pastPods: readonly string[];
  /** What earlier runs lasted, together. */
  readonly ranSeconds: number;
  readonly pool: string | null;
  readonly plannedNode: string | null;
  readonly podUid: string | null;
  readonly podIp: string | null;
  readonly node: string | null;
  readonly standIn: string | null;
  /** Since when this run's image cannot be pulled. */
  readonly pullFailingSince: Date | null;
  /** Runs in a row that their node refused before a container had started. */
  readonly refusals: number;
  /** In the queue: it is not admitted before. */
  readonly retryAt: Date | null;
  readonly logsComplete: boolean;
  readonly createdAt: Date;
  readonly firstStartedAt: Date | null;
  /** These are the run's. */
  readonly admittedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

/** What happens to a job. */
export type JobEvent =
  | { readonly type: 'admit'; readonly pool: string; readonly node: string; readonly description: string }
  | { readonly type: 'observe'; readonly observation: PodObservation }
  | {
      readonly type: 'stop';
      readonly status: UnwantedEnd;
      readonly reason: string;
      readonly description: string;
    }
  /** `run`: the one that is meant; a later one is left alone. */
  | { readonly type: 'preempt'; readonly run: number; readonly description: string }
  | { readonly type: 'seal'; readonly complete: boolean }
  | { readonly type: 'removed'; readonly run: number; readonly podUid: string };
