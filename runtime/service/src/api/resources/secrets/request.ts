import { MAX_SECRET_BYTES } from '@delos/core';
import { z } from 'zod';

/** The rule for keys of Secrets in Kubernetes, which the official service has as well. */
const SECRET_NAME = /^(?!\.{1,2}$)(?!\.\.)[-._a-zA-Z0-9]{1,253}$/;

/** A request with the largest value, in base64, has room in it; a larger value is refused by its own sentence. */
export const LARGEST_BODY = 2 * MAX_SECRET_BYTES;

const name = z.string().max(256).nullish();

export const secretName = z
  .string()
  .regex(SECRET_NAME, 'expected 1–253 letters, digits and - . _, and not two dots at the beginning');

/** Messages never hold any of the value. */
export const secretRequest = z.object({
  key: secretName,
  value: z
    .base64('expected base64 (RFC 4648)')
    .transform((text) => Buffer.from(text, 'base64'))
    .refine(({ length }) => length <= MAX_SECRET_BYTES, `a secret is at most ${MAX_SECRET_BYTES / 2 ** 20} MiB`),
  org_name: name,
  project_name: name,
});

export const secretQuery = z.object({
  org_name: z.string().max(256).optional(),
  project_name: z.string().max(256).optional(),
});
