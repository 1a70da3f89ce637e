import { z } from 'zod';
import { diskId } from './disk.ts';

/** A disk's claim as the agent sees it. */
export const claimObservation = z.object({
  /** Empty where there is none. */
  claimUid: z.string(),
  /** `ready`: a job may mount it; of some classes its volume is made at the first mount. */
  phase: z.enum(['pending', 'ready', 'broken']),
  /** For a person: what is amiss and, where known, what to do. */
  description: z.string().nullable(),
  /** Nodes that it can be mounted on; null: any, as far as is known. */
  nodes: z.array(z.string()).nullable(),
  /** Bytes that its files take; null: nobody tells. */
  usedBytes: z.number().int().nonnegative().nullable().default(null),
});
export type ClaimObservation = z.infer<typeof claimObservation>;

/** Counts only once it is acknowledged. */
export const diskObservation = z.object({
  type: z.literal('observation'),
  kind: z.literal('disk'),
  id: diskId,
  seq: z.number().int(),
  observation: claimObservation,
});

/** After a `remove`: the claim is gone, or there was none. */
export const diskRemoved = z.object({
  type: z.literal('removed'),
  kind: z.literal('disk'),
  id: diskId,
});
export type DiskReport = z.infer<typeof diskObservation> | z.infer<typeof diskRemoved>;
