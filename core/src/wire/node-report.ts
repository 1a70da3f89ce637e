import { z } from 'zod';

export const nodeReport = z.object({
  name: z.string(),
  pool: z.string().nullable(),
  ready: z.boolean(),
  schedulable: z.boolean(),
  /** Taints that only jobs with such a device tolerate, by key. Left out by agents that do not tell. */
  taints: z.array(z.string()).optional(),
  /** Allocatable less what Pods that are not jobs request. */
  cpu: z.number().nonnegative(),
  memory: z.number().int().nonnegative(),
  extended: z.record(z.string(), z.number().int().nonnegative()),
  pods: z.number().int().nonnegative(),
});
export type NodeReport = z.infer<typeof nodeReport>;
