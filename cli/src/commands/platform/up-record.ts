import { entranceSchema } from '@delos/constructs';
import { standIn } from '@delos/core';
import { z } from 'zod';

/** What `up` leaves for `status` and the commands after it, in `platform.json`. No secret. */
export const platformRecord = z.object({
  /** Left out by earlier releases. */
  entrance: entranceSchema.optional(),
  images: z.record(z.string(), z.string()),
  standIns: z.array(standIn),
});
export type PlatformRecord = z.infer<typeof platformRecord>;
