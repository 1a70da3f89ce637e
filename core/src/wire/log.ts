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

/** To the collector of one node: read this log to its end and seal it. */
export const toCollector = z.discriminatedUnion('type', [
  z.object({ type: z.literal('seal'), jobId, podUid: z.string(), attempts: z.number().int().nonnegative() }),
]);
export type ToCollector = z.infer<typeof toCollector>;
