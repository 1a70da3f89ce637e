import { z } from 'zod';
import { jobId } from './job.ts';

/** Container log bytes exactly as the kubelet keeps them (CRI format), numbered over all rotated files of one attempt. */
export const logPosition = z.object({
  /** Bytes archived so far: the next offset. */
  length: z.number().int().nonnegative(),
  /** True once sealed: nothing more is accepted. */
  final: z.boolean(),
  /** What the collector said with the last bytes: where in which file they ended. Nobody else reads it. */
  cursor: z.string().nullable().default(null),
  /**
   * The job's log is over its limit: so many bytes a second are taken from now on. What is more is left out, the oldest
   * first, and the next append says how much that was (`skipped`). Null: no limit yet.
   */
  rate: z.number().int().positive().nullable().default(null),
});
export type LogPosition = z.infer<typeof logPosition>;

/** Whose a job is: what its lines are found by where logs are searched. */
export const jobFacts = z.object({ organization: z.string(), project: z.string(), user: z.string() });
export type JobFacts = z.infer<typeof jobFacts>;

/** Where a collector sends lines to, beside the control API, so that they can be searched. */
export const logSink = z.object({
  kind: z.enum(['victoria-logs', 'loki', 'elasticsearch']),
  url: z.url(),
  user: z.string().optional(),
  /** File of the password, or of the token where there is no user. */
  secretFile: z.string().optional(),
  /** Of Elasticsearch. */
  index: z.string().optional(),
});
export type LogSinkSettings = z.infer<typeof logSink>;

/** To the collector of one node: read this log to its end and seal it. */
export const toCollector = z.discriminatedUnion('type', [
  z.object({ type: z.literal('seal'), jobId, podUid: z.string(), attempts: z.number().int().nonnegative() }),
]);
export type ToCollector = z.infer<typeof toCollector>;
