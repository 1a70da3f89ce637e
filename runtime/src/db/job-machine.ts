import type { JobStatus, PodObservation } from '@delos/core';
import type { JobPhase } from './schema.ts';

/*
 * The life of a job, as a function from state and event to state. Rows and notifications are jobs-state.ts's matter.
 *
 *   queued ──admit──▶ admitted ──observed running──▶ running ──observed end──▶ ended ──seal──▶ archived ──removed──▶ gone
 *     │                  │  └──observed end──────────────────────────────────▶  ▲
 *     │stop              └──stop──▶ stopping ◀──stop── running                  │
 *     ▼                                └──observed end or absent────────────────┘
 *    gone
 *
 * - `stop` (kill, life-span, timeouts) decides how the job ends and says so at once; what the container does while it
 *   winds down changes no more than its exit code.
 * - An end is written once: whatever is observed of an ended job is old news.
 * - A job never goes back: a Pod seen `pending` after it ran is late, a Pod of another uid is not this job's.
 * - Where no container was ever bound to a node there is no log to wait for: the end is archived at once.
 */

export interface JobState {
  readonly phase: JobPhase;
  readonly status: JobStatus;
  readonly reason: string | null;
  readonly description: string | null;
  readonly exitCode: number | null;
  readonly restarts: number;
  readonly pool: string | null;
  readonly plannedNode: string | null;
  readonly podUid: string | null;
  readonly podIp: string | null;
  readonly node: string | null;
  readonly standIn: string | null;
  readonly logsComplete: boolean;
  readonly createdAt: Date;
  readonly admittedAt: Date | null;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
}

export type JobEvent =
  | { readonly type: 'admit'; readonly pool: string; readonly node: string; readonly description: string }
  | { readonly type: 'observe'; readonly observation: PodObservation }
  | {
      readonly type: 'stop';
      readonly status: 'cancelled' | 'failed';
      readonly reason: string;
      readonly description: string;
    }
  | { readonly type: 'seal'; readonly complete: boolean }
  | { readonly type: 'removed'; readonly podUid: string };

/** Phases in which a job holds resources of a node, or is about to. */
export const ACTIVE_PHASES: readonly JobPhase[] = ['admitted', 'running', 'stopping'];

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
        admittedAt: now,
      };
    case 'stop':
      return stop(state, event, now);
    case 'observe':
      return observe(state, event.observation, now);
    case 'seal':
      return state.phase === 'ended' ? { ...state, phase: 'archived', logsComplete: event.complete } : undefined;
    case 'removed':
      if (state.phase !== 'archived' || !isOurs(state, event.podUid)) return undefined;
      return { ...state, phase: 'gone' };
  }
}

function stop(state: JobState, event: JobEvent & { type: 'stop' }, now: Date): JobState | undefined {
  const { status, reason, description } = event;
  const ended = { status, reason, description, finishedAt: now };
  if (state.phase === 'queued') return { ...state, ...ended, phase: 'gone', logsComplete: true };
  if (state.phase === 'admitted' || state.phase === 'running') return { ...state, ...ended, phase: 'stopping' };
  return undefined;
}

function isOurs(state: JobState, podUid: string): boolean {
  return podUid === '' || state.podUid === null || state.podUid === podUid;
}

function observe(state: JobState, seen: PodObservation, now: Date): JobState | undefined {
  if (!isOurs(state, seen.podUid)) return undefined;
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
      return end({ ...known, exitCode: seen.exitCode ?? state.exitCode });
  }
}

function observeWanted(state: JobState, known: JobState, seen: PodObservation, now: Date): JobState | undefined {
  switch (seen.phase) {
    case 'pending':
      if (state.phase === 'running') return undefined;
      return changed(state, { ...known, reason: seen.reason ?? state.reason, description: seen.description });
    case 'running':
      return changed(state, {
        ...known,
        phase: 'running',
        status: 'running',
        reason: seen.reason,
        description: seen.description,
        exitCode: seen.exitCode ?? state.exitCode,
        startedAt: known.startedAt ?? now,
      });
    case 'absent':
      // None was ever seen: the agent has not made it yet.
      if (state.podUid === null) return undefined;
      return end({
        ...known,
        status: 'failed',
        reason: seen.reason ?? 'NodeLost',
        description: seen.description ?? 'its Pod is gone: it was deleted from outside, or its node was lost',
        finishedAt: seen.finishedAt === null ? now : clamp(new Date(seen.finishedAt), state, now),
      });
    case 'succeeded':
    case 'failed': {
      const finishedAt = seen.finishedAt === null ? now : clamp(new Date(seen.finishedAt), known, now);
      const failed = seen.phase === 'failed';
      return end({
        ...known,
        status: seen.phase,
        reason: failed ? (seen.reason ?? 'Error') : null,
        description: seen.description,
        exitCode: seen.exitCode ?? (failed ? null : 0),
        startedAt: known.startedAt ?? (seen.exitCode === null ? null : finishedAt),
        finishedAt,
      });
    }
  }
}

/** What an observation tells whatever its phase. */
function factsOf(state: JobState, seen: PodObservation, latest: Date): Partial<JobState> {
  return {
    podUid: state.podUid ?? (seen.podUid === '' ? null : seen.podUid),
    podIp: seen.podIp ?? state.podIp,
    node: seen.nodeName ?? state.node,
    standIn: seen.standIn ?? state.standIn,
    restarts: Math.max(state.restarts, seen.restarts),
    startedAt: state.startedAt ?? (seen.startedAt === null ? null : clamp(new Date(seen.startedAt), state, latest)),
  };
}

/** Kubernetes tells whole seconds of the node's clock: keeps admitted ≤ started ≤ finished ≤ now. */
function clamp(at: Date, state: JobState, latest: Date): Date {
  const earliest = state.startedAt ?? state.admittedAt ?? state.createdAt;
  return new Date(Math.min(Math.max(at.getTime(), earliest.getTime()), Math.max(latest.getTime(), earliest.getTime())));
}

function end(state: JobState): JobState {
  return state.node === null ? { ...state, phase: 'archived', logsComplete: true } : { ...state, phase: 'ended' };
}

function changed(before: JobState, after: JobState): JobState | undefined {
  const keys = Object.keys(after) as (keyof JobState)[];
  const same = keys.every((key) => {
    const [a, b] = [before[key], after[key]];
    return a instanceof Date && b instanceof Date ? a.getTime() === b.getTime() : a === b;
  });
  return same ? undefined : after;
}
