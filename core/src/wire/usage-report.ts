import { z } from 'zod';
import { jobId } from './job.ts';
import { jobUsage } from './stream.ts';

/** What running jobs used when they were measured last. Each measurement is told once. */
export const usageReport = z.object({
  type: z.literal('usage'),
  jobs: z.array(z.object({ id: jobId, usage: jobUsage })),
});
export type UsageReport = z.infer<typeof usageReport>;
