import { OPEN_PHASES, REASONS } from '@delos/core';
import type { MirroredJob } from './mirror.ts';

/** How many jobs there are that are not over, by what is said of them. Every word is there, also of none. */
export interface Tally {
  /** Step of a job → jobs. */
  readonly phases: ReadonlyMap<string, number>;
  /** Why jobs of the queue wait → jobs. */
  readonly waiting: ReadonlyMap<string, number>;
}

/** Stands for every reason that is none of ours: words from outside make no series. */
const OTHER = 'Other';

/** Counts jobs. */
export function tallyOf(jobs: Iterable<Pick<MirroredJob, 'phase' | 'reason'>>): Tally {
  const phases = new Map<string, number>(OPEN_PHASES.map((phase) => [phase, 0]));
  const waiting = new Map<string, number>([...REASONS, OTHER].map((reason) => [reason, 0]));
  for (const { phase, reason } of jobs) {
    add(phases, phase);
    if (phase === 'queued') add(waiting, reason !== null && waiting.has(reason) ? reason : OTHER);
  }
  return { phases, waiting };
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
