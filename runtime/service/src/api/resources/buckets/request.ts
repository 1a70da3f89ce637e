import { BUCKET_CREDENTIAL_LIFE } from '@delos/core';
import { z } from 'zod';

/** A bucket's own name, and that of a credential; the client's rule. */
const NAME = /^[a-z][a-z0-9_]*(?:-+[a-z0-9_]+)*$/;

export const nameOf = (what: string) =>
  z
    .string()
    .min(3)
    .max(40)
    .regex(NAME, 'expected 3–40 lower-case letters, digits, underscores and inner hyphens, beginning with a letter')
    .refine((name) => !/^bucket-(credentials-)?[0-9a-f]{8}-/.test(name), `must not look like the id of a ${what}`)
    .nullish();

export const ofProject = {
  org_name: z.string().max(256).nullish(),
  project_name: z.string().max(256).nullish(),
};

export const bucketRequest = z.object({ name: nameOf('bucket'), ...ofProject });
export type BucketRequest = z.infer<typeof bucketRequest>;

export const publicity = z.object({ public: z.boolean() });

export const urlRequest = z.object({
  key: z.string().min(1, 'expected the key of an object').max(1024),
  expires_in_sec: z
    .number()
    .int('expected whole seconds')
    .min(1)
    .max(BUCKET_CREDENTIAL_LIFE, 'an address ends after a week at most')
    .default(3600),
});

/** Most buckets that one credential is for. */
const MOST_BUCKETS = 20;

export const credentialRequest = z.object({
  name: nameOf('bucket credential'),
  bucket_ids: z
    .array(z.string().min(1).max(128))
    .min(1, 'expected a bucket at least')
    .max(MOST_BUCKETS, `a credential is for ${MOST_BUCKETS} buckets at most`),
  read_only: z
    .boolean()
    .nullish()
    .transform((given) => given === true),
});
export type CredentialRequest = z.infer<typeof credentialRequest>;
