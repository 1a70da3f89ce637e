import type { Job, Scope } from '../model/model.ts';
import type { Shape } from '../model/shapes.ts';
import type { SlotHeap } from './slot-heap.ts';

/* Scopes and the classes of jobs that wait in them: each knows the other. */

export interface GroupNeed {
  readonly shape: Shape;
  readonly count: number;
  readonly min: number;
  /** What one replica is charged. */
  readonly perReplica: Float64Array;
}

/** All of a job that decisions depend on, but for its age: jobs that share it are decided once. */
export type JobTemplate = Omit<Job, 'id' | 'submittedAt' | 'running' | 'suspended'>;

/** What jobs of the same amounts ask of one scope's guarantee. */
export interface Stake {
  readonly scope: ScopeState;
  readonly amounts: Float64Array;
  /** Whether one more such job lies within the guarantee as it is used now. */
  within: boolean;
  /** Classes that sleep, and of those the ones for which this guarantee, as the nearest, is the one that counts. */
  readonly asleep: Set<JobClass>;
  readonly judged: Set<JobClass>;
}

/** Pending jobs that ask for the same from the same queue, oldest first. */
export interface JobClass {
  readonly key: string;
  readonly template: JobTemplate;
  readonly queue: ScopeState;
  readonly rank: number;
  readonly groups: readonly GroupNeed[];
  readonly preemptible: boolean;
  /** Amounts of all replicas wished for. */
  readonly amounts: Float64Array;
  /** Amounts of the smallest size that will do. */
  readonly least: Float64Array;
  /** The scope whose guarantee says whether the job may have back what was lent; undefined: none does. */
  readonly judge: ScopeState | undefined;
  /** Its stakes in guarantees from its queue up; the first is the judge's. */
  readonly stakes: readonly Stake[];
  /** Its jobs are one replica each. */
  readonly single: boolean;
  /** What it is like others in while it waits for room: so many replicas of one shape, together or not. */
  readonly alike: string | undefined;
  readonly pending: SlotHeap;
  /** Jobs of it that run. */
  running: number;
  /** To be looked at in this cycle. */
  awake: boolean;
  /** Awake, and counted as lying within its guarantee. */
  entitled: boolean;
  /** Nodes where, since nobody could be preempted for it, that may have changed. */
  retryOn: Set<number> | 'anywhere';
  /**
   * Of a gang, for which too few replicas had room though all were gone whom it may preempt: how many too few. Infinite where
   * there was nobody.
   */
  lacking: number;
  /** How many replicas must have been freed for that to be made up for, as the gangs that sleep count them. */
  dueAt: number;
  /** Why it sleeps: the scope whose quota stops it, or room. */
  asleepOn: ScopeState | 'room' | 'array' | 'everyone' | undefined;
}

/** A scope with what its jobs use. Changes as jobs start and end. */
export interface ScopeState {
  readonly spec: Scope;
  readonly parent: ScopeState | undefined;
  readonly children: ScopeState[];
  /** The project that it is or lies in: priorities are compared there. Above projects: itself. */
  readonly project: ScopeState;
  readonly quota: Float64Array;
  readonly limit: Float64Array;
  /** NaN-free: Infinity where nothing is guaranteed in a dimension. */
  readonly guarantee: Float64Array;
  readonly hasGuarantee: boolean;
  /** Whether it has a quota or a limit for anything. */
  readonly capped: boolean;
  /** Steps from the top, which is 0. */
  readonly depth: number;
  /** From itself up to the top, and of those the ones that guarantee something. */
  readonly path: readonly ScopeState[];
  /** Of a queue, the scopes whose quotas hold for its jobs: its path, then the person whose place it is. */
  readonly charged: readonly ScopeState[];
  readonly guaranteed: readonly ScopeState[];
  readonly used: Float64Array;
  /** Of `used`, what non-preemptible jobs hold. */
  readonly firm: Float64Array;
  /** Decayed use of the past as of `historyAt`. */
  readonly history: Float64Array;
  historyAt: number;
  /** Classes of the queue that are to be looked at, and their number here and below. */
  readonly awakeClasses: JobClass[];
  awake: number;
  /** Classes of the queue that wait for room and are alike by shape, and their number by shape here and below. */
  readonly asleepByShape: Map<string, Set<JobClass>>;
  readonly asleepCounts: Map<string, number>;
  /** Of those awake, the number that lie within their guarantee. */
  entitled: number;
  /** Classes awake for which this scope's guarantee is the one that counts. */
  readonly judged: Set<JobClass>;
  /** What classes in it and below ask of its guarantee, by their amounts. */
  readonly stakes: Map<string, Stake>;
  /** Preemptible jobs that run here and below, by rank of priority. */
  readonly preemptible: [number, number, number];
  /** Remembered share for ordering; negative: to be computed. */
  share: number;
  shareAt: number;
}
