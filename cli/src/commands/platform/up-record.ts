import { standIn } from '@delos/core';
import { z } from 'zod';

/** What `up` leaves for `status` and the commands after it, in `platform.json`. No secret. */
export const platformRecord = z.object({
  /** Where people point their browsers. */
  url: z.string(),
  /** Ends in `/api/v1`. */
  apiUrl: z.string(),
  images: z.record(z.string(), z.string()),
  standIns: z.array(standIn),
});
export type PlatformRecord = z.infer<typeof platformRecord>;
