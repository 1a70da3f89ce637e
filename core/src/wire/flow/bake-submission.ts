import { z } from 'zod';
import { MAX_FLOW_FILE_BYTES } from '../../words/flow-words.ts';

/*
 * A bake as one request: `POST /api/v1/flow/bakes/submit`. What apolo-flow sends in five calls comes at once, so that a bake
 * is there whole or not at all.
 */

const LONGEST_NAME = 200;
const LONGEST_PATH = 4_096;
/** Of labels and values that people choose. */
const name = z.string().min(1).max(LONGEST_NAME);
const path = z.string().min(1).max(LONGEST_PATH);
const MOST = { tags: 48, params: 1_000, actions: 1_000 };

/** A file of the language, as it lies on the machine that it comes from. */
export const flowSourceFile = z.object({
  filename: path,
  content: z
    .string()
    .refine(
      (text) => new TextEncoder().encode(text).length <= MAX_FLOW_FILE_BYTES,
      `expected at most ${MAX_FLOW_FILE_BYTES / 2 ** 20} MiB: a file of a flow is no place for data`,
    ),
});
export type FlowSourceFile = z.infer<typeof flowSourceFile>;

/** The state of git where the flow lies. */
export const flowGitInfo = z.object({
  sha: z.string().max(512),
  branch: z.string().max(512),
  tags: z.array(z.string().max(512)).max(1_000),
});

/** How long a bake may take where nothing else is said: that of apolo-flow, ten days. */
export const BAKE_MINUTES = 10 * 24 * 60;

/** What people can be told of a bake. */
export const BAKE_NOTICES = ['end', 'failure'] as const;

export const bakeSubmission = z.object({
  /** The project of the platform; left out: the caller's first. */
  org_name: z.string().nullish(),
  project_name: z.string().nullish(),
  /** The id of project.yml. A flow that is not there is made. */
  flow: name,
  /** The name of the flow's file. */
  batch: name,
  /** Of at most one bake of the flow that has not ended. */
  name: name.nullish(),
  tags: z.array(name).max(MOST.tags).default([]),
  params: z
    .record(name, z.string().max(65_536))
    .refine((map) => Object.keys(map).length <= MOST.params, `expected at most ${MOST.params} parameters`)
    .default({}),
  git_info: flowGitInfo.nullish(),
  /** The folder of the flow there. */
  workspace: path,
  flow_file: flowSourceFile,
  project_file: flowSourceFile.nullish(),
  /** Actions and modules, by their references as they are written. */
  action_files: z
    .record(path, flowSourceFile)
    .refine((map) => Object.keys(map).length <= MOST.actions, `expected at most ${MOST.actions} actions`)
    .default({}),
  /** How long it may take; then it is cancelled, and has failed. */
  /** What people are told. `end`: each end. `failure`: a failure, and the first success after it. */
  notify: z
    .array(z.enum(BAKE_NOTICES))
    .max(BAKE_NOTICES.length)
    .default([])
    .transform((all) => [...new Set(all)]),
  life_span_minutes: z.number().int().positive().max(5_256_000).default(BAKE_MINUTES),
});
export type BakeSubmission = z.infer<typeof bakeSubmission>;
export type BakeSubmissionInput = z.input<typeof bakeSubmission>;

/** A bake that the platform carries out. */
export const carriedBake = z.object({
  id: z.string(),
  /** Of the attempt. */
  number: z.number(),
  /** The job that stands for it: it has no Pod, and its log tells what becomes of the tasks. */
  job: z.string(),
  /** Tasks that succeeded before and do not run again. */
  carried_over: z.array(z.string()),
});
export type CarriedBake = z.infer<typeof carriedBake>;

/** From where a bake runs again: `POST /api/v1/flow/bakes/ID/restart`. */
export const bakeRestart = z
  .object({
    from: z.enum(['start', 'failed', 'task']).default('failed'),
    /** The whole id of a task: it runs again with all that follows from it. */
    task: z.string().max(LONGEST_PATH).optional(),
  })
  .refine(({ from, task }) => (from === 'task') === (task !== undefined), {
    path: ['task'],
    message: 'expected a task with `from: task`, and none otherwise',
  });
export type BakeRestart = z.infer<typeof bakeRestart>;
