import type { LogPosition, LogSettings, PlatformConfig } from '@delos/core';

/*
 * Where the logs of jobs are kept. Terminology: an *attempt* is one start of a job's container; its bytes are counted
 * from 0, those that are left out included. A *chunk* is a piece of them in one gzip member. Up to its *limit* a log is
 * kept whole. What is over it is taken out of the middle: the first half of the limit stays, and of what follows the
 * newest; so that between two chunks there may be a gap, which readers tell of.
 */

/** The log of one container attempt of a job's Pod. */
export interface LogKey {
  readonly jobId: string;
  readonly podUid: string;
  /** Among those of its Pod; the store numbers them over all Pods of a job. */
  readonly attempt: number;
}

export interface AppendedBytes {
  /** Where the log stood before. */
  readonly offset: number;
  /** Bytes after that which the sender left out, the log being over its limit. @default 0 */
  readonly skipped?: number;
  /** Further bytes before these were lost. @default false */
  readonly lost?: boolean;
  /** How many of them, where that is known. */
  readonly missing?: number;
  /** Uncompressed bytes. */
  readonly length: number;
  /** One gzip member. */
  readonly gzip: Buffer;
  readonly cursor: string | null;
}

/** `attempt`: the store's number. */
export type Place = LogPosition & { readonly attempt: number };

/** Undefined: no such job, or its Pod is another one. */
export type AppendOutcome =
  | { readonly accepted: boolean; readonly position: LogPosition; readonly attempt: number }
  | undefined;

export interface ArchivedChunk {
  readonly start: number;
  readonly length: number;
  /** Bytes before it were lost on their node. */
  readonly lost: boolean;
  /** How many; null: nobody knows. */
  readonly missing: number | null;
  /** Fetches them, uncompressed. @throws PieceGone where they are nowhere any more; Error where they may come later */
  bytes(): Promise<Buffer>;
}

/** How far an attempt's log has come. */
export interface LogProgress {
  /** Nothing more comes of any attempt. */
  readonly over: boolean;
  /** Nothing more comes of this one. */
  readonly final: boolean;
  /** Bytes so far, with those that are left out. */
  readonly length: number;
  /** False once bytes are known to be lost. */
  readonly complete: boolean;
  /** Bytes that are known to be missing at its end. */
  readonly missing: number;
  /** The last attempt that has a log. */
  readonly last: number;
  /** The job's log was removed: it had ended long ago, or its project needed the room. */
  readonly removed: boolean;
}

export interface LogStore {
  /** Where an attempt's log stands; begins it where there is none. */
  position(key: LogKey): Promise<Place | undefined>;
  /**
   * Appends bytes at their offset. Bytes that are there already, or that would leave a gap unsaid, are refused with the
   * position to go on from: the same append may come twice and from two senders.
   */
  append(key: LogKey, bytes: AppendedBytes): Promise<AppendOutcome>;
  /** Ends an attempt's log at `offset`. With the last one of a run that has ended, the job's log is sealed. */
  finish(
    key: LogKey,
    end: { readonly offset: number; readonly complete: boolean; readonly missing?: number },
  ): Promise<AppendOutcome>;
  /** The next chunks of an attempt from `offset` on, at most `limit`. The first may begin before it. */
  chunks(of: Attempt & { readonly offset: number }, limit: number): Promise<readonly ArchivedChunk[]>;
  /** Start of the first chunk that may hold lines written since. */
  offsetSince(of: Attempt & { readonly since: Date }): Promise<number>;
  progress(of: Attempt): Promise<LogProgress>;
  /** Removes what is over limits and over its time; at intervals, by one process at once. */
  keepHouse(): Promise<void>;
}

export interface Attempt {
  readonly jobId: string;
  /** The store's number. */
  readonly attempt: number;
}

/**
 * The section `logs` of delos.yaml. `jobLimit` is in bytes, for a job without a limit of its own. `projectLimit` is in
 * bytes, for all logs of a project, and `totalLimit` for those of all projects. `keepDays` counts days after a job's end; 0 keeps its log as long as there is room.
 */
export interface LogPolicy extends Pick<LogSettings, 'jobLimit' | 'projectLimit' | 'totalLimit' | 'keepDays'> {
  /** Projects that have settings of their own, which go before these. @default none */
  readonly projects?: readonly ProjectLogPolicy[];
}

export interface ProjectLogPolicy {
  readonly org: string;
  readonly project: string;
  readonly limit?: number | undefined;
  readonly keepDays?: number | undefined;
}

/** What delos.yaml says of logs, its projects included. */
export const logPolicyOf = ({ logs, organizations }: PlatformConfig): LogPolicy => ({
  ...logs,
  projects: organizations.flatMap((org) =>
    org.projects.flatMap((project) =>
      project.logs.limit === undefined && project.logs.keepDays === undefined
        ? []
        : [{ org: org.name, project: project.name, ...project.logs }],
    ),
  ),
});

/** Projects of delos.yaml that say themselves for how many days their logs are kept. */
export const logDaysOf = ({
  organizations,
}: PlatformConfig): readonly { readonly org: string; readonly project: string; readonly days: number }[] =>
  organizations.flatMap((org) =>
    org.projects.flatMap(({ name, logs: { keepDays } }) =>
      keepDays === undefined || keepDays === 0 ? [] : [{ org: org.name, project: name, days: keepDays }],
    ),
  );

/** What a chunk is charged beyond its bytes: a row, its index entry and gzip's frame. */
export const CHUNK_COST = 256;
/** After a cut the end of a log is renewed no faster than twice in this time. */
const RENEWAL_SECONDS = 120;

/** Bytes a second that a log which is over its limit may bring. */
export function rateOf(limit: number): number {
  return Math.max(1, Math.floor(limit / 2 / RENEWAL_SECONDS));
}
