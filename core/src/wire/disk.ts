import { z } from 'zod';

/** `disk-` and a UUID: what the official client takes for an id without asking. It is also the name of the claim. */
export const diskId = z.string().regex(/^disk-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

/** One mount of a disk in a job's container. */
export const diskMount = z.object({
  disk: diskId,
  path: z.string(),
  readOnly: z.boolean(),
});
export type DiskMount = z.infer<typeof diskMount>;
