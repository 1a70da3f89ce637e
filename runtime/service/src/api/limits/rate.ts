import type { PlatformConfig } from '@delos/core';

/** At most so many a second on average, and so many at once. */
export type Rate = PlatformConfig['requests']['ofUser'];

/** A rate in whole microseconds: one takes `each`, and `most` may be owed. */
export interface Pace {
  readonly each: number;
  readonly most: number;
}

export function paceOf({ perSecond, burst }: Rate): Pace {
  const each = Math.max(1, Math.round(1e6 / perSecond));
  return { each, most: each * burst };
}

/** What one request came to. */
export interface Step {
  /** Whether there was room for it. */
  readonly free: boolean;
  /** Until then what was taken is paid for. */
  readonly paidAt: number;
  /** Microseconds until there is room for one. */
  readonly wait: number;
}

/**
 * Takes one, if there is room (the generic cell rate algorithm: a bucket of tokens in a single number). All times are in
 * microseconds of one clock. A `paidAt` that this pace cannot have made, because the clock went back or the pace is a new
 * one, counts as the most that may be owed.
 */
export function takeOne({ each, most }: Pace, paidAt: number, now: number): Step {
  const owed = Math.min(Math.max(paidAt - now, 0), most);
  const wait = owed + each - most;
  if (wait > 0) return { free: false, paidAt: now + owed, wait };
  return { free: true, paidAt: now + owed + each, wait: 0 };
}
