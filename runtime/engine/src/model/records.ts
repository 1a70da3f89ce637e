import { type JobStatus, TERMINAL, type TERMINAL_STATUSES } from '@delos/core';

/** The status of a task as it is written: those that `apolo-flow` shows. */
export type TaskStatus = Exclude<JobStatus, 'suspended'> | 'skipped' | 'cached';

/** How a bake ends, and a job. */
export type BakeResult = (typeof TERMINAL_STATUSES)[number];

export type Texts = Readonly<Record<string, string>>;

export const isFinished = (status: TaskStatus): boolean =>
  TERMINAL.has(status) || status === 'skipped' || status === 'cached';

export interface StatusAt {
  readonly status: TaskStatus;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** All that is kept of a task of one attempt. The engine is made anew from these records alone. */
export interface TaskRecord {
  /** The whole id: those of the calls that it lies in stand before points. */
  readonly task: string;
  /** Oldest first, at least one. */
  readonly statuses: readonly StatusAt[];
  /** The job of the last try; of a cached task, the job that the result comes from. */
  readonly jobId: string | null;
  readonly outputs: Texts | null;
  readonly state: Texts | null;
}

/** Where a result comes from: what is kept beside it in the cache. */
export interface Lineage {
  readonly key: string;
  /** The tasks whose results it was given, with their jobs. */
  readonly needs: readonly { readonly task: string; readonly jobId: string | null }[];
}

/** A change of a task's record, to be written before the acts of its turn are carried out. */
export interface RecordChange extends StatusAt {
  readonly task: string;
  /** Left out: as it was. */
  readonly jobId?: string | null;
  readonly outputs?: Texts;
  readonly state?: Texts;
  /** What a person is told where it failed without a job that says why. */
  readonly why?: string;
  /** The result goes into the cache under this key. */
  readonly keep?: Lineage;
}

/** A record after a change. */
export function changed(record: TaskRecord | undefined, change: RecordChange): TaskRecord {
  const { task, status, at } = change;
  return {
    task,
    statuses: [...(record?.statuses ?? []), { status, at }],
    jobId: change.jobId === undefined ? (record?.jobId ?? null) : change.jobId,
    outputs: change.outputs ?? record?.outputs ?? null,
    state: change.state ?? record?.state ?? null,
  };
}
