import { z } from 'zod';
import { flowAttemptStatus, flowImageStatus, flowTaskStatus } from '../../words/flow-words.ts';

/* What the platform tells of a bake in one answer: `GET /api/v1/flow/bakes/ID/report` and `…/diff`. Times are ISO 8601. */

/** Where the result of a task comes from. */
export const taskLineage = z.object({
  /** Hash of all that the task was given. */
  key: z.string(),
  /** The bake whose job gave it; another one's for a task that is cached. */
  bake: z.string(),
  attempt: z.number(),
  /** The tasks whose results it was given, with their jobs. */
  needs: z.array(z.object({ task: z.string(), job: z.string().nullable() })),
  /** Storage and disks that its job could write. */
  writes: z.array(z.string()),
});
export type TaskLineage = z.infer<typeof taskLineage>;

export const reportedTask = z.object({
  /** Whole: those of the calls that it lies in stand before points. */
  id: z.string(),
  /** Others lie in it. */
  call: z.boolean(),
  needs: z.array(z.string()),
  /** Null: nothing was begun of it. */
  status: flowTaskStatus.nullable(),
  job: z.string().nullable(),
  begun_at: z.string().nullable(),
  running_at: z.string().nullable(),
  ended_at: z.string().nullable(),
  /** It is on the longest way: had it been faster, so would the bake. */
  critical: z.boolean(),
  /** What its job says of its end. */
  reason: z.string().nullable(),
  exit_code: z.number().nullable(),
  lineage: taskLineage.nullable(),
});
export type ReportedTask = z.infer<typeof reportedTask>;

export const bakeReport = z.object({
  id: z.string(),
  name: z.string().nullable(),
  batch: z.string(),
  flow: z.string(),
  org_name: z.string(),
  project_name: z.string(),
  owner: z.string(),
  tags: z.array(z.string()),
  params: z.record(z.string(), z.string()),
  created_at: z.string(),
  attempts: z.array(
    z.object({
      number: z.number(),
      result: flowAttemptStatus,
      created_at: z.string(),
      executor_id: z.string().nullable(),
      /** Who carries it out. */
      by: z.enum(['platform', 'client']),
    }),
  ),
  /** The attempt that the rest is about. */
  number: z.number(),
  result: flowAttemptStatus,
  /** Nothing is left to do of it. */
  settled: z.boolean(),
  tasks: z.array(reportedTask),
  /** Images that the flow defines: what became of those that tasks needed. */
  images: z.array(z.object({ ref: z.string(), status: flowImageStatus, job: z.string().nullable() })),
  /** Ids, the first one first. */
  critical_path: z.array(z.string()),
  /** From its begin to the end of the last task, or until now. */
  seconds: z.number(),
});
export type BakeReport = z.infer<typeof bakeReport>;

const changedText = z.object({ before: z.string().nullable(), after: z.string().nullable() });

export const bakeDifference = z.object({
  before: z.string(),
  after: z.string(),
  batch: changedText.nullable(),
  /** The commits that they were made at. */
  commit: changedText.nullable(),
  params: z.record(z.string(), changedText),
  files: z.array(
    z.object({
      name: z.string(),
      change: z.enum(['added', 'removed', 'changed']),
      /** Lines of text, each begun by `+`, `-` or a blank; at most a few hundred. */
      lines: z.array(z.string()),
      /** There are more. */
      cut: z.boolean(),
    }),
  ),
  tasks: z.array(
    z.object({
      id: z.string(),
      change: z.enum(['added', 'removed', 'changed']),
      status: changedText.nullable(),
      image: changedText.nullable(),
      /** Hash of all that the task was given: another one makes the cache miss. */
      key: changedText.nullable(),
      /** Whether it was taken from the cache. */
      cached: z.object({ before: z.boolean(), after: z.boolean() }).nullable(),
      seconds: z.object({ before: z.number().nullable(), after: z.number().nullable() }),
    }),
  ),
});
export type BakeDifference = z.infer<typeof bakeDifference>;

/** A line of `GET /api/v1/flow/bakes/recent`. */
export const listedBake = z.object({
  id: z.string(),
  name: z.string().nullable(),
  flow: z.string(),
  org_name: z.string(),
  project_name: z.string(),
  batch: z.string(),
  owner: z.string(),
  tags: z.array(z.string()),
  created_at: z.string(),
  status: flowAttemptStatus,
  /** Null: it has none yet. */
  attempt: z.number().nullable(),
});
export type ListedBake = z.infer<typeof listedBake>;
