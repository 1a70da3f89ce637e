import { z } from 'zod';
import { POD_PHASES } from '../words/job-words.ts';
import { jobId } from './job.ts';

/** A job's Pod as the agent sees it. It says of which run. */
export const podObservation = z.object({
  /** Empty where there is no Pod and none had been seen. */
  podUid: z.string(),
  run: z.number().int().nonnegative().default(0),
  phase: z.enum(POD_PHASES),
  /** One of core's REASONS where one fits. */
  reason: z.string().nullable(),
  /** For a person: what happened and, where known, what to do. */
  description: z.string().nullable(),
  nodeName: z.string().nullable(),
  podIp: z.string().nullable(),
  /** Container restarts so far, of this Pod; equals the current attempt. */
  restarts: z.number().int().nonnegative(),
  startedAt: z.iso.datetime({ offset: true }).nullable(),
  finishedAt: z.iso.datetime({ offset: true }).nullable(),
  exitCode: z.number().int().nullable(),
  /** It has ended, and not because it was asked to. */
  ofItself: z.boolean().default(false),
  /** It has ended for its node's sake (a drain, a shutdown, a loss), and for nothing that it did. */
  putOut: z.boolean().default(false),
  /** Its node refused it, or put it out for the node's own sake, before a container had started: it never ran. */
  refused: z.boolean().default(false),
  /** An image answered by a stand-in, and by what. */
  standIn: z.string().nullable().default(null),
});
export type PodObservation = z.infer<typeof podObservation>;

/** What is observed of a run that has no Pod. It waits for one, as long as nobody says more. */
export const podlessObservation = (run: number): PodObservation => ({
  podUid: '',
  run,
  phase: 'pending',
  reason: null,
  description: null,
  nodeName: null,
  podIp: null,
  restarts: 0,
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  ofItself: false,
  putOut: false,
  refused: false,
  standIn: null,
});

/** Counts only once it is acknowledged. */
export const jobObservation = z.object({
  type: z.literal('observation'),
  kind: z.literal('job'),
  id: jobId,
  seq: z.number().int(),
  observation: podObservation,
});

/** After a `remove`: the Pod of that run is gone. */
export const jobRemoved = z.object({
  type: z.literal('removed'),
  kind: z.literal('job'),
  id: jobId,
  /** Empty where there was none. */
  podUid: z.string(),
  run: z.number().int().nonnegative().default(0),
});
export type JobReport = z.infer<typeof jobObservation> | z.infer<typeof jobRemoved>;
