import { DelosError, OBJECT_REGION } from '@delos/core';
import { z } from 'zod';
import type { BucketSettings } from './object-bucket.ts';

/** A service's bucket in the object storage, where the platform has one: the names are `bucketEnv`'s of constructs. */
export const bucketEnv = z.object({
  S3_ENDPOINT: z.url().optional(),
  S3_REGION: z.string().default(OBJECT_REGION),
  S3_BUCKET: z.string().optional(),
  S3_ACCESS_KEY: z.string().optional(),
  S3_SECRET_KEY_FILE: z.string().optional(),
  /** File of the certificate authority, PEM. @default the public ones */
  S3_CA_FILE: z.string().optional(),
});

/** Undefined where there is none. @throws DelosError ERR_CONFIG_VALUE where a part of it is missing */
export function bucketSettings(env: z.infer<typeof bucketEnv>): BucketSettings | undefined {
  const { S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_ACCESS_KEY: accessKey, S3_SECRET_KEY_FILE: secretFile } = env;
  if (endpoint === undefined) return undefined;
  if (bucket === undefined || accessKey === undefined || secretFile === undefined) {
    throw new DelosError('ERR_CONFIG_VALUE', 'S3_ENDPOINT is set, and not all that belongs to it', {
      where: { field: 'S3_ENDPOINT' },
      hint: 'set S3_BUCKET, S3_ACCESS_KEY and S3_SECRET_KEY_FILE in the service’s environment',
    });
  }
  const authority = env.S3_CA_FILE === undefined ? {} : { authorityFile: env.S3_CA_FILE };
  return { endpoint, region: env.S3_REGION, bucket, accessKey, secretFile, ...authority };
}
