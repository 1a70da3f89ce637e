import { z } from 'zod';

/** An image that answers on this cluster for another one, whose upstream registry cannot be reached. */
export const standIn = z.object({
  /** Its name in the catalogue. */
  name: z.string(),
  /** Names of images, tags included, that it answers. */
  answers: z.array(z.string()),
  /** What it really is. */
  standIn: z.string(),
  /** Of its manifest: what a container that runs on it says it was made from. */
  digest: z.string().regex(/^sha256:[0-9a-f]{64}$/),
});
export type StandIn = z.infer<typeof standIn>;
