import { z } from 'zod';

/** A disk's own name; the client's rule. */
const DISK_NAME = /^[a-z](?:-?[a-z0-9])*$/;
/** What is less is a forgotten suffix. */
export const LEAST_DISK = 2 ** 20;
const YEARS_100 = 100 * 365 * 86_400;

export const diskRequest = z.object({
  storage: z
    .number()
    .int('expected whole bytes')
    .min(LEAST_DISK, 'expected at least 1 MiB: apolo disk create 10G has a suffix')
    .max(Number.MAX_SAFE_INTEGER),
  /** Seconds after its last use; null or left out: kept until it is removed. */
  life_span: z.number().positive('expected seconds, or null for no limit').max(YEARS_100).nullish(),
  name: z
    .string()
    .min(3)
    .max(40)
    .regex(DISK_NAME, 'expected 3–40 lower-case letters, digits and single hyphens, beginning with a letter')
    .refine((name) => !/^disk-[0-9a-z]{8}-/.test(name), 'must not look like the id of a disk')
    .nullish(),
  project_name: z.string().max(256).nullish(),
  org_name: z.string().max(256).nullish(),
});
export type DiskRequest = z.infer<typeof diskRequest>;
