import type { Booking, Policy, Preset, Volume } from '../model/model.ts';
import type { Whereabouts } from '../model/shapes.ts';
import type { Loans } from '../policies/lending.ts';
import type { Agenda } from '../waking/agenda.ts';
import type { Attention } from '../waking/attention.ts';
import type { JobClass, ScopeState } from './entities.ts';
import type { JobTable } from './job-table.ts';
import type { NodeTable } from './node-table.ts';
import type { RunningJob } from './running-job.ts';
import type { ShapeIndex } from './shape-index.ts';
import type { WaitingOrder } from './waiting-order.ts';

/** Nodes kept for the oldest job of a class. */
export interface Held {
  readonly of: JobClass;
  readonly nodes: ReadonlySet<number>;
  /** When it will have room at the latest; undefined: not known. */
  readonly due: number | undefined;
}

/** What becomes free of a scope's quota is kept for the oldest job of a class. */
export interface QuotaHold {
  readonly of: JobClass;
  /** When its quota will be free at the latest; undefined: not known. */
  readonly due: number | undefined;
}

/** A reservation with its scope looked up. */
export interface Booked {
  readonly spec: Booking;
  readonly scope: ScopeState;
  readonly nodes: ReadonlySet<string>;
}

/** What the scheduler's state is to the pieces that it is made with. */
export interface World {
  readonly now: number;
  readonly policy: Policy;
  readonly nodes: NodeTable;
  readonly presets: ReadonlyMap<string, Preset>;
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly scopes: ReadonlyMap<string, ScopeState>;
  readonly bookings: Map<string, Booked>;
  readonly jobs: JobTable;
  readonly running: ReadonlyMap<number, RunningJob>;
  /** Running jobs that can be preempted. */
  readonly preemptible: Set<RunningJob>;
  /** Running jobs whose size may change. */
  readonly elastic: Set<RunningJob>;
  readonly onNode: Map<number, Set<RunningJob>>;
  /** How many jobs of an array run. */
  readonly arrays: Map<string, number>;
  /** Milli-GPU of all running jobs. */
  milliGpu: number;
  /** Instants at which the minimum run times of running jobs end. */
  readonly guards: Agenda<RunningJob>;
  readonly indices: ReadonlyMap<string, ShapeIndex>;
  readonly attention: Attention;
  readonly order: WaitingOrder | undefined;
  readonly closed: ReadonlySet<number>;
  held: Held | undefined;
  readonly quotaHolds: Map<ScopeState, QuotaHold>;
  readonly hasGuarantees: boolean;
  /** Scopes at the top. */
  readonly roots: readonly ScopeState[];
  readonly loans: Loans;
  indexOf(preset: Preset, where: Whereabouts): ShapeIndex;
  /** Closes a node that not everybody may use, or opens it. */
  reclose(node: number): void;
  /** Takes a running job off its nodes; with `again` it waits anew. */
  stop(job: RunningJob, again: boolean): void;
}
