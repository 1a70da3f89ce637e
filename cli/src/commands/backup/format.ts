import { z } from 'zod';

/*
 * A backup file is, from the outside in: age (age-encryption.org/v1), Zstandard (RFC 8878), and a tar (POSIX ustar) of
 *
 *   about.json                   what it is of, first
 *   delos.yaml                   the configuration file; empty where the instance runs on the defaults
 *   secrets.json                 passwords, keys and certificates of the stack
 *   services/NAME/000000000 …    one after the other: the tar that the service wrote of its folder
 *   end.json                     how long each of these was, and its digest; last, so that a file without it is cut off
 */

/** Bytes of a service's tar in one entry: its length must be known before it begins. */
export const CHUNK_BYTES = 4 * 2 ** 20;

/** Most bytes of an entry that is read as a whole. A Secret holds 1 MiB, and there are tens of them. */
export const MOST_TEXT_BYTES = 16 * 2 ** 20;

export const FORMAT = 1;

/** The first entry. */
export const aboutBackup = z.object({
  format: z.literal(FORMAT),
  /** Of this one file. */
  id: z.uuid(),
  /** Version of Delos that wrote it. */
  release: z.string(),
  instance: z.string(),
  createdAt: z.iso.datetime(),
  /** Services in it, each with the version of what its image runs. */
  services: z.array(z.object({ name: z.string(), version: z.string() })),
});
export type AboutBackup = z.infer<typeof aboutBackup>;

/** The length of something, and its digest. */
export const measured = z.object({ bytes: z.int().nonnegative(), sha256: z.string().length(64) });
export type Measured = z.infer<typeof measured>;

/** The last entry: of each text by its entry's name, of each service by its own. */
export const endOfBackup = z.object({
  id: z.uuid(),
  texts: z.record(z.string(), measured),
  services: z.record(z.string(), measured),
});

export const ABOUT = 'about.json';
export const CONFIG = 'delos.yaml';
export const SECRETS = 'secrets.json';
export const END = 'end.json';

/** Name of a service's nth entry. */
export const chunkName = (service: string, nth: number): string =>
  `services/${service}/${String(nth).padStart(9, '0')}`;

/** The service and the number that such a name is of. */
export function chunkOf(name: string): { readonly service: string; readonly nth: number } | undefined {
  const [, service, nth] = /^services\/([a-z][a-z0-9-]*)\/(\d{9,12})$/.exec(name) ?? [];
  return service === undefined || nth === undefined ? undefined : { service, nth: Number(nth) };
}
