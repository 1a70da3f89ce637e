import { at } from '../model/quantities.ts';
import type { JobClass } from '../state/entities.ts';
import type { RunningJob } from '../state/running-job.ts';
import { lostWork, protectedUntil } from './preemption.ts';

/** Waiting jobs looked at in one cycle for one that moving others makes room for. */
export const CONSOLIDATED = 8;
/** Nodes tried for one replica, those first that lack the least. */
export const NODES_TRIED = 64;
/** Running jobs that a gang may have moved at most. */
export const MOST_MOVED = 16;

/** A running job that may be moved, and what it loses by that, in seconds of one device. */
export interface Movable {
  readonly job: RunningJob;
  readonly cost: number;
}

/** What is true of consolidation at one instant. */
export interface MovableJobs {
  /** Cheapest first. */
  readonly ready: readonly Movable[];
  /** When the next one may be moved that may not yet; Infinity: none. */
  readonly next: number;
}

/**
 * Whom consolidation may move: preemptible jobs past their minimum run time. Moved jobs start anew in the same cycle, at the
 * size they had, so that no scope's use and no guarantee changes.
 *
 * Source: KAI-Scheduler's action "consolidation" (running jobs are moved if all of them find another place and a waiting one
 * thereby gets one). That the gain must be more than the work lost is ours.
 */
export function movableJobs(preemptible: Iterable<RunningJob>, now: number, minRunMs: number): MovableJobs {
  const ready: Movable[] = [];
  let next = Infinity;
  for (const job of preemptible) {
    const from = protectedUntil(job, minRunMs);
    if (from <= now) ready.push({ job, cost: lostWork(job, now) });
    else next = Math.min(next, from);
  }
  ready.sort((a, b) => a.cost - b.cost || (a.job.id < b.job.id ? -1 : 1));
  return { ready, next };
}

/**
 * Seconds of one device that a waiting job does before `until`, which is when it would have started by itself or how far one
 * looks ahead, or before its life-span is over: what is gained by starting it now. A core counts as a sixteenth of a device.
 */
export function gainOf(waiting: JobClass, until: number, now: number): number {
  const ms = Math.min(until - now, waiting.template.lifeSpanMs ?? Infinity);
  return (Math.max(0, ms) / 1000) * (at(waiting.least, 3) / 1000 + at(waiting.least, 1) / 16_000);
}
