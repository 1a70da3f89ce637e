import type { PreemptionRule } from '../policies/preemption.ts';
import type { Touched } from '../state/touches.ts';
import type { PodPlacement } from './model.ts';

/** A job starts. */
export interface Start {
  readonly kind: 'start';
  readonly job: string;
  readonly queue: string;
  readonly pods: readonly PodPlacement[];
  /**
   * fits: there was room. preempts: others were preempted, see their decisions. backfill: on nodes kept for another job, until
   * then. shrinks: elastic gangs gave replicas for it. consolidates: others were moved to make room, and moved: it is one of them.
   */
  readonly because: 'fits' | 'preempts' | 'backfill' | 'shrinks' | 'consolidates' | 'moved';
}

/** A running job is preempted and waits again. */
export interface Preempt {
  readonly kind: 'preempt';
  readonly job: string;
  readonly queue: string;
  /** The job that takes its place; null where no job does (a drain, a reservation that begins). */
  readonly for: string | null;
  /** consolidate: it is moved, and starts elsewhere in the same cycle. */
  readonly rule: PreemptionRule | 'drain' | 'consolidate' | 'reservation';
  /** For whom and by which rule, for a person. */
  readonly text: string;
}

/** A job is given up: it has waited longer than its schedule timeout. */
export interface Expire {
  readonly kind: 'expire';
  readonly job: string;
  readonly queue: string;
}

/** A running elastic gang has more or fewer replicas from now on; the others run on. */
export interface Resize {
  readonly kind: 'resize';
  readonly job: string;
  readonly queue: string;
  readonly added: readonly PodPlacement[];
  readonly removed: readonly PodPlacement[];
  /** The job that needs the room; null where it grows. */
  readonly for: string | null;
  readonly text: string;
}

export type Decision = Start | Preempt | Expire | Resize;

export interface Cycle {
  readonly now: number;
  readonly decisions: readonly Decision[];
  readonly touched: Touched;
  /** Another cycle is due then, even if nothing happens; undefined: none. */
  readonly next: number | undefined;
}
