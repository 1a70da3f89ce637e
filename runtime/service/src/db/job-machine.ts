import { type JobStatus, type PodObservation, TERMINAL } from '@delos/core';
import type { JobEvent, JobState } from './job-state.ts';

/*
 * The life of a job, as a function from state and event to state. Rows and notifications are jobs-state.ts's matter.
 *
 *   queued ──admit──▶ admitted ──observed running──▶ running ──observed end──▶ ended ──seal──▶ archived ──removed──▶ gone
 *     │ ▲                │  └──observed end──────────────────────────────────▶  ▲                  │
 *     │ │                └──stop, preempt──▶ stopping ◀──stop, preempt── running│                  │ comes back
 *     │ │                                        └──observed end or absent──────┘                  │
 *     │ └──────────────────────────────────────────────────────────────────────────────────────────┘
 *     └──stop──▶ gone
 *
 * - `stop` (kill, life-span, timeouts) decides how the job ends and says so at once; what the container does while it
 *   winds down changes no more than its exit code.
 * - `preempt` stops a job with a status that is no end. Once its Pod is gone it is queued again. There is one run (a Pod)
 *   after the other: what is heard of an earlier run is old news. A job that ended by itself before it was asked to has
 *   ended. One that is killed while it stops does not come back.
 * - A run that its node puts out, or that is lost with its node, is an end, unless the job comes back. Then it is queued
 *   again as a preempted one is.
 * - An end is written once: whatever is observed of an ended job is old news.
 * - A run never goes back: a Pod seen `pending` after it ran is late, a Pod of another uid is not this job's.
 * - A run that its node refuses before a container has started never was one: the job is queued again, each time after a
 *   longer pause, and fails when that has happened too often in a row.
 * - Where no container was ever bound to a node there is no log to wait for: the end is archived at once.
 */

/** So many runs in a row may be refused by their nodes; the pauses between them add up to 25 minutes. */
export const MAX_REFUSALS = 10;
const FIRST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 300_000;

/** Whether a job is stopping, or has stopped, and will be queued again. */
export function returnsToQueue({ phase, status }: Pick<JobState, 'phase' | 'status'>): boolean {
  return (phase === 'stopping' || phase === 'ended' || phase === 'archived') && !TERMINAL.has(status);
}

/** @returns the state after the event, or undefined where it changes nothing (late, repeated or not this job's). */
export function nextState(state: JobState, event: JobEvent, now: Date): JobState | undefined {
  switch (event.type) {
    case 'admit':
      if (state.phase !== 'queued') return undefined;
      return {
        ...state,
        phase: 'admitted',
        status: 'pending',
        reason: 'Scheduling',
        description: event.description,
        pool: event.pool,
        plannedNode: event.node,
        pullFailingSince: null,
        retryAt: null,
        admittedAt: now,
      };
    case 'stop':
      return stop(state, event, now);
    case 'preempt':
      return preempt(state, event, now);
    case 'observe':
      return observe(state, event.observation, now);
    case 'seal':
      if (state.phase !== 'ended') return undefined;
      return { ...state, phase: 'archived', logsComplete: allComplete(state, event.complete) };
    case 'removed':
      if (state.phase !== 'archived' || !isOurs(state, event)) return undefined;
      return returnsToQueue(state) ? queuedAgain(state) : { ...state, phase: 'gone' };
  }
}

function stop(state: JobState, event: JobEvent & { type: 'stop' }, now: Date): JobState | undefined {
  const { status, reason, description } = event;
  const ended = { status, reason, description, finishedAt: now };
  if (state.phase === 'queued') return { ...state, ...ended, phase: 'gone', logsComplete: allComplete(state, true) };
  if (state.phase === 'admitted' || state.phase === 'running') return { ...state, ...ended, phase: 'stopping' };
  if (!returnsToQueue(state)) return undefined;
  // It has run until it was preempted, and not while it stopped.
  return { ...state, ...ended, ranSeconds: ranUntilNow(state), startedAt: state.startedAt === null ? null : now };
}

function preempt(state: JobState, event: JobEvent & { type: 'preempt' }, now: Date): JobState | undefined {
  if (!state.preemptible || state.run !== event.run) return undefined;
  if (state.phase !== 'admitted' && state.phase !== 'running') return undefined;
  const { description } = event;
  return { ...state, phase: 'stopping', status: waiting(state), reason: 'Preempted', description, finishedAt: now };
}

/** The next run, of which there is nothing yet. */
function queuedAgain(state: JobState): JobState {
  return {
    ...state,
    phase: 'queued',
    status: waiting(state),
    exitCode: null,
    run: state.run + 1,
    firstAttempt: state.node === null ? state.firstAttempt : state.restarts + 1,
    pastPods: state.podUid === null ? state.pastPods : [...state.pastPods, state.podUid],
    ranSeconds: ranUntilNow(state),
    pool: null,
    plannedNode: null,
    podUid: null,
    podIp: null,
    node: null,
    pullFailingSince: null,
    admittedAt: null,
    startedAt: null,
    finishedAt: null,
  };
}

/** The status of a job that waits, or is about to again. */
function waiting({ firstStartedAt }: Pick<JobState, 'firstStartedAt'>): JobStatus {
  return firstStartedAt === null ? 'pending' : 'suspended';
}

/** What all runs lasted, the present one being over. */
function ranUntilNow({ ranSeconds, startedAt, finishedAt }: JobState): number {
  if (startedAt === null || finishedAt === null) return ranSeconds;
  return ranSeconds + Math.max(0, (finishedAt.getTime() - startedAt.getTime()) / 1000);
}

/** Whether no log byte is missing, of earlier runs either. */
function allComplete({ run, logsComplete }: JobState, complete: boolean): boolean {
  return complete && (run === 0 || logsComplete);
}

function isOurs(state: JobState, { run, podUid }: Pick<PodObservation, 'run' | 'podUid'>): boolean {
  return run === state.run && (podUid === '' || state.podUid === null || state.podUid === podUid);
}

function observe(state: JobState, seen: PodObservation, now: Date): JobState | undefined {
  if (!isOurs(state, seen)) return undefined;
  const known = { ...state, ...factsOf(state, seen, state.finishedAt ?? now) };
  switch (state.phase) {
    case 'queued':
    case 'ended':
    case 'archived':
    case 'gone':
      return undefined;
    case 'admitted':
    case 'running':
      return observeWanted(state, known, seen, now);
    case 'stopping':
      if (seen.phase === 'pending' || seen.phase === 'running') return changed(state, known);
      if (returnsToQueue(state)) return seen.ofItself ? observeWanted(state, known, seen, now) : end(known);
      return end({ ...known, exitCode: seen.exitCode ?? state.exitCode });
  }
}

function observeWanted(state: JobState, known: JobState, seen: PodObservation, now: Date): JobState | undefined {
  switch (seen.phase) {
    case 'pending':
      if (state.phase === 'running') return undefined;
      return changed(state, {
        ...known,
        reason: seen.reason ?? state.reason,
        description: seen.description,
        pullFailingSince: failingSince(state, seen.reason ?? state.reason, now),
      });
    case 'running':
      return changed(state, {
        ...known,
        phase: 'running',
        status: 'running',
        reason: seen.reason,
        description: seen.description,
        exitCode: seen.exitCode ?? state.exitCode,
        pullFailingSince: null,
        refusals: 0,
        ...startOf(known, known.startedAt ?? now),
      });
    case 'absent':
      // None was ever seen: the agent has not made it yet.
      if (state.podUid === null) return undefined;
      return end({
        ...known,
        status: state.comesBack ? waiting(known) : 'failed',
        reason: seen.reason ?? 'NodeLost',
        description: seen.description ?? 'its Pod is gone: it was deleted from outside, or its node was lost',
        finishedAt: seen.finishedAt === null ? now : clamp(new Date(seen.finishedAt), known, now),
      });
    case 'succeeded':
    case 'failed': {
      if (seen.refused && state.phase === 'admitted' && known.startedAt === null)
        return refused({ ...known, restarts: state.restarts }, seen, now);
      const finishedAt = seen.finishedAt === null ? now : clamp(new Date(seen.finishedAt), known, now);
      const failed = seen.phase === 'failed';
      const started = startOf(known, known.startedAt ?? (seen.exitCode === null ? null : finishedAt));
      const back = failed && seen.putOut && state.comesBack;
      return end({
        ...known,
        ...started,
        status: back ? waiting(started) : seen.phase,
        reason: failed ? (seen.reason ?? 'Error') : null,
        description: seen.description,
        exitCode: back ? state.exitCode : (seen.exitCode ?? (failed ? null : 0)),
        finishedAt,
      });
    }
  }
}

/** A pull that is tried again has not succeeded yet. */
function failingSince({ pullFailingSince }: JobState, reason: string | null, now: Date): Date | null {
  if (reason === 'ErrImagePull') return pullFailingSince ?? now;
  return reason === 'Pulling' ? pullFailingSince : null;
}

/** It was on no node: there is no log to wait for, and its attempts are counted as before. */
function refused(state: JobState, seen: PodObservation, now: Date): JobState {
  const refusals = state.refusals + 1;
  const back = refusals < MAX_REFUSALS;
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** (refusals - 1), LONGEST_PAUSE_MS);
  const why = seen.description ?? 'its node refused it';
  return end({
    ...state,
    status: back ? waiting(state) : 'failed',
    reason: seen.reason ?? 'NoCapacity',
    description: back
      ? `${why}; it is tried again in ${pause / 1000} s`
      : `${why}; that was the ${refusals}th time in a row, and it is not tried again`,
    node: null,
    refusals,
    retryAt: back ? new Date(now.getTime() + pause) : null,
    finishedAt: now,
  });
}

/** What an observation tells whatever its phase. */
function factsOf(state: JobState, seen: PodObservation, latest: Date): Partial<JobState> {
  const node = seen.nodeName ?? state.node;
  const started = seen.startedAt === null ? null : clamp(new Date(seen.startedAt), state, latest);
  return {
    podUid: state.podUid ?? (seen.podUid === '' ? null : seen.podUid),
    podIp: seen.podIp ?? state.podIp,
    node,
    standIn: seen.standIn ?? state.standIn,
    // A later run counts from its container on: who was attached to the one before waits for that.
    restarts:
      seen.phase === 'pending' || node === null
        ? state.restarts
        : Math.max(state.restarts, state.firstAttempt + seen.restarts),
    ...startOf(state, state.startedAt ?? started),
  };
}

function startOf({ firstStartedAt }: JobState, startedAt: Date | null): Pick<JobState, 'startedAt' | 'firstStartedAt'> {
  return { startedAt, firstStartedAt: firstStartedAt ?? startedAt };
}

/** Kubernetes tells whole seconds of the node's clock: keeps admitted ≤ started ≤ finished ≤ now. */
function clamp(at: Date, state: JobState, latest: Date): Date {
  const earliest = state.startedAt ?? state.admittedAt ?? state.createdAt;
  return new Date(Math.min(Math.max(at.getTime(), earliest.getTime()), Math.max(latest.getTime(), earliest.getTime())));
}

function end(state: JobState): JobState {
  if (state.node !== null) return { ...state, phase: 'ended' };
  return { ...state, phase: 'archived', logsComplete: allComplete(state, true) };
}

function changed(before: JobState, after: JobState): JobState | undefined {
  const keys = Object.keys(after) as (keyof JobState)[];
  const same = keys.every((key) => {
    const [a, b] = [before[key], after[key]];
    return a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b;
  });
  return same ? undefined : after;
}
