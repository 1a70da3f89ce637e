import { entranceSchema, wayIn } from '@delos/constructs';
import { type PlatformConfig, standIn } from '@delos/core';
import { z } from 'zod';

/** What `up` leaves for `status` and the commands after it, in `platform.json`. No secret. */
export const platformRecord = z.object({
  entrance: entranceSchema,
  images: z.record(z.string(), z.string()),
  standIns: z.array(standIn),
});
export type PlatformRecord = z.infer<typeof platformRecord>;

export interface PlatformUrls {
  /** Where people point their browsers. */
  readonly url: string;
  /** Ends in `/api/v1`. */
  readonly apiUrl: string;
}

/** Where the platform is reached, by the configuration that it was deployed with. */
export function platformUrls(config: PlatformConfig, { entrance }: Pick<PlatformRecord, 'entrance'>): PlatformUrls {
  const url = wayIn(config, entrance).publicUrl;
  return { url, apiUrl: `${url}/api/v1` };
}
