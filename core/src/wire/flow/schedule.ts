import { z } from 'zod';
import { bakeSubmission } from './bake-submission.ts';

/* Bakes that are made again and again: `/api/v1/flow/schedules`. Times are ISO 8601. */

/** Runs whose time passed while no platform was there. `skip` makes none, `once` makes one for all, `all` makes each, at most the last hundred. */
export const missedPolicy = z.enum(['skip', 'once', 'all']);

/** What happens to files. */
export const fileChange = z.enum(['made', 'changed', 'removed']);

/** Files of the storage whose changes make a bake. */
export const storageWatch = z.object({
  /** The folder: `storage:PATH` of the schedule's project, or the whole address of another project's. */
  path: z.string().min(1).max(4_096).startsWith('storage:', 'expected an address of the storage: storage:FOLDER'),
  /** Which paths below it count: `*` and `?` stay within a name, `**` is any names. */
  pattern: z.string().min(1).max(512).default('**'),
  on: z
    .array(fileChange)
    .min(1)
    .max(fileChange.options.length)
    .default(['made', 'changed'])
    .transform((all) => [...new Set(all)]),
  /** How long nothing may change before the bake is made: many writes make one bake. */
  quiet_seconds: z.number().int().min(5).max(3_600).default(10),
  /** A parameter of the flow that is told what changed, as JSON: `[{"path": "a.csv", "change": "made"}]`, at most the first hundred. */
  param: z.string().min(1).max(200).nullish(),
});
export type StorageWatch = z.infer<typeof storageWatch>;

export const newSchedule = z
  .object({
    /** One of its project has it. */
    name: z
      .string()
      .min(1)
      .max(64)
      .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'expected small letters, digits and hyphens'),
    /** Five fields: minute, hour, day of month, month, day of week. Left out: it is triggered alone. */
    cron: z.string().min(1).max(200).nullish(),
    /** Of the IANA's list: `Europe/Berlin`. */
    time_zone: z.string().min(1).max(64).default('UTC'),
    missed: missedPolicy.default('once'),
    /** A run may begin while the bake of the one before has not ended; otherwise it is skipped. */
    overlap: z.boolean().default(false),
    /** It can be triggered by a signed request. */
    trigger: z.boolean().default(false),
    /** It is triggered by changes of files. */
    storage: storageWatch.nullish(),
    bake: bakeSubmission,
  })
  .refine(({ cron, trigger, storage }) => cron != null || trigger || storage != null, {
    path: ['cron'],
    message: 'expected times, a trigger, or files to look at',
  })
  .refine(({ bake }) => bake.name == null, {
    path: ['bake', 'name'],
    message: 'bakes of a schedule have no name of their own',
  });
export type NewSchedule = z.infer<typeof newSchedule>;

/** What became of a run. */
export const runOutcome = z.enum(['baked', 'skipped', 'refused']);

export const scheduleRun = z.object({
  /** When it was due, or was asked for. */
  at: z.string(),
  cause: z.enum(['time', 'trigger', 'person', 'storage']),
  outcome: runOutcome,
  bake: z.string().nullable(),
  /** Why there is no bake. */
  why: z.string().nullable(),
});
export type ScheduleRun = z.infer<typeof scheduleRun>;

export const shownSchedule = z.object({
  id: z.string(),
  name: z.string(),
  org_name: z.string(),
  project_name: z.string(),
  /** Whose jobs they are. */
  owner: z.string(),
  flow: z.string(),
  batch: z.string(),
  cron: z.string().nullable(),
  time_zone: z.string(),
  missed: missedPolicy,
  overlap: z.boolean(),
  /** Where signed requests go to; null: none are taken. */
  trigger_url: z.string().nullable(),
  /** The files that it looks at; null: none. */
  storage: storageWatch
    .extend({
      looked_at: z.string().nullable(),
      /** How many there are. */
      files: z.number(),
      /** Why they cannot be looked at. */
      problem: z.string().nullable(),
    })
    .nullable(),
  next_at: z.string().nullable(),
  created_at: z.string(),
  /** The newest first, at most a few. */
  runs: z.array(scheduleRun),
});
export type ShownSchedule = z.infer<typeof shownSchedule>;

/** The secret is told once. */
export const madeSchedule = shownSchedule.extend({ trigger_secret: z.string().nullable() });
