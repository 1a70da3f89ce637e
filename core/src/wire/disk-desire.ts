import { z } from 'zod';
import { diskId } from './disk.ts';

/*
 * Life of a disk as the agent sees it:
 *   keep    its claim shall exist (made once: one that was seen and is gone is told, never made again empty)
 *   remove  its claim shall go, and with it what is on it
 */
export const diskDesire = z.object({
  kind: z.literal('disk'),
  id: diskId,
  revision: z.number().int().nonnegative(),
  spec: z.object({
    action: z.enum(['keep', 'remove']),
    namespace: z.string(),
    org: z.string(),
    project: z.string(),
    /** Bytes. */
    storage: z.number().int().positive(),
    /** The claim that was seen. Null: none was. */
    claimUid: z.string().nullable(),
  }),
});
export type DiskDesire = z.infer<typeof diskDesire>;
