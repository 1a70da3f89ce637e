import type { JobPhase, UnwantedEnd } from '@delos/core';

/** What of a job its deadlines depend on. */
export interface Clocked {
  readonly phase: JobPhase;
  readonly reason: string | null;
  readonly status_description: string | null;
  readonly created_at: Date;
  readonly admitted_at: Date | null;
  /** Of the present run; that of the first one; and what earlier runs lasted. */
  readonly started_at: Date | null;
  readonly first_started_at: Date | null;
  readonly ran_seconds: number;
  readonly phase_at: Date;
  readonly schedule_timeout: number | null;
  readonly max_run_time_minutes: number | null;
  readonly pull_failing_since: Date | null;
}

export type Due =
  | {
      readonly type: 'stop';
      readonly status: UnwantedEnd;
      readonly reason: string;
      readonly description: string;
    }
  | { readonly type: 'seal' };

/** A pull is retried by the kubelet for so long after it first failed, then it is taken for what it is. */
export const PULL_LIMIT_SECONDS = 300;
/** One that is under way again is not broken off, unless that lasts longer than any pull. */
export const RETRIED_PULL_LIMIT_SECONDS = 3_600;
/** The log of an ended job that nobody seals: its node is lost. */
export const SEAL_LIMIT_SECONDS = 600;

/** What is to be done about a job because time has passed; undefined where nothing is. */
export function due(job: Clocked, now: Date): Due | undefined {
  const pending = job.phase === 'queued' || job.phase === 'admitted';
  const unstarted = pending && job.first_started_at === null;
  if (unstarted && job.schedule_timeout !== null && seconds(job.created_at, now) >= job.schedule_timeout) {
    return {
      type: 'stop',
      status: 'failed',
      reason: 'ScheduleTimeout',
      description: `it did not start within its schedule timeout of ${job.schedule_timeout} s`,
    };
  }
  const failing = seconds(job.pull_failing_since, now);
  const limit = job.reason === 'ErrImagePull' ? PULL_LIMIT_SECONDS : RETRIED_PULL_LIMIT_SECONDS;
  if (job.phase === 'admitted' && failing >= limit) {
    const why = job.reason === 'ErrImagePull' ? job.status_description : null;
    return {
      type: 'stop',
      status: 'failed',
      reason: 'ErrImagePull',
      description: `${why ?? 'its image could not be pulled'} (tried for ${limit} s)`,
    };
  }
  const minutes = job.max_run_time_minutes;
  const ran = job.ran_seconds + (job.phase === 'running' ? seconds(job.started_at, now) : 0);
  if ((pending || job.phase === 'running') && minutes !== null && ran >= minutes * 60) {
    return {
      type: 'stop',
      status: 'cancelled',
      reason: 'LifeSpanEnded',
      description: `its life-span of ${minutes} min is over; a longer one: --life-span, apolo job bump-life-span`,
    };
  }
  return job.phase === 'ended' && seconds(job.phase_at, now) >= SEAL_LIMIT_SECONDS ? { type: 'seal' } : undefined;
}

function seconds(from: Date | null, now: Date): number {
  return from === null ? 0 : (now.getTime() - from.getTime()) / 1000;
}
