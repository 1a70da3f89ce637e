import type { JobPhase, PodObservation } from '@delos/core';
import type { JobEvent, JobState } from '../../../runtime/service/src/db/job-state.ts';
import { observation } from './observer.ts';

/* One job in every phase of its life, and what may happen to it. */

export const T0 = new Date('2026-01-01T00:00:00Z');
export const T1 = new Date('2026-01-01T00:01:00Z');
export const PHASES: readonly JobPhase[] = ['queued', 'admitted', 'running', 'stopping', 'ended', 'archived', 'gone'];

export const QUEUED: JobState = {
  phase: 'queued',
  status: 'pending',
  reason: 'Creating',
  description: null,
  exitCode: null,
  restarts: 0,
  preemptible: true,
  comesBack: false,
  run: 0,
  firstAttempt: 0,
  pastPods: [],
  ranSeconds: 0,
  pool: null,
  plannedNode: null,
  podUid: null,
  podIp: null,
  node: null,
  standIn: null,
  pullFailingSince: null,
  refusals: 0,
  retryAt: null,
  logsComplete: false,
  createdAt: T0,
  firstStartedAt: null,
  admittedAt: null,
  startedAt: null,
  finishedAt: null,
};
export const ADMITTED: JobState = {
  ...QUEUED,
  phase: 'admitted',
  pool: 'default',
  admittedAt: T0,
  reason: 'Scheduling',
};
export const BOUND: JobState = { ...ADMITTED, podUid: 'uid-1', node: 'node-1' };
export const RUNNING: JobState = {
  ...BOUND,
  phase: 'running',
  status: 'running',
  reason: null,
  startedAt: T0,
  firstStartedAt: T0,
};
export const STOPPING: JobState = {
  ...RUNNING,
  phase: 'stopping',
  status: 'cancelled',
  reason: 'Killed',
  description: 'killed by alice',
  finishedAt: T0,
};
export const ENDED: JobState = { ...STOPPING, phase: 'ended', exitCode: 143 };
export const ARCHIVED: JobState = { ...ENDED, phase: 'archived', logsComplete: true };
/** It was preempted at T1, and is stopping. */
export const PREEMPTED: JobState = {
  ...RUNNING,
  phase: 'stopping',
  status: 'suspended',
  reason: 'Preempted',
  description: 'for job-2',
  finishedAt: T1,
};
export const AGAIN: JobState = {
  ...QUEUED,
  status: 'suspended',
  reason: 'Preempted',
  description: 'for job-2',
  run: 1,
  firstAttempt: 1,
  pastPods: ['uid-1'],
  ranSeconds: 60,
  firstStartedAt: T0,
};
export const SECOND: JobState = { ...AGAIN, phase: 'admitted', status: 'pending', pool: 'default', admittedAt: T1 };
export const GONE: JobState = { ...ARCHIVED, phase: 'gone' };

export const seen = (facts: Partial<PodObservation>): JobEvent => ({
  type: 'observe',
  observation: observation('job-1', { podUid: 'uid-1', ...facts }),
});
export const KILL: JobEvent = { type: 'stop', status: 'cancelled', reason: 'Killed', description: 'killed by alice' };

export const PREEMPT = { type: 'preempt', run: 0, description: 'for job-2' } as const satisfies JobEvent;

export interface Row {
  readonly rule: string;
  readonly from: JobState;
  readonly event: JobEvent;
  /** What is different afterwards; undefined: nothing happens. */
  readonly to: Partial<JobState> | undefined;
}
