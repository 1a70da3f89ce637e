import { createHash, createHmac, randomBytes } from 'node:crypto';

/** An access key of S3 and its secret. */
export interface BucketCredential {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What a credential lets its holder do with objects: read and list, write and remove, or both. */
export type BucketRights = 'r' | 'w' | 'rw';

/** The longest life of a credential, in seconds: that of a presigned URL. */
export const BUCKET_CREDENTIAL_LIFE = 7 * 24 * 3600;

/**
 * A credential that reaches one bucket and ends. The object storage keeps nothing of it: the access key says what it is for
 * and until when, and the secret is derived from it by the signing key, which whoever issues credentials shares with the
 * storage. None can be called back before its end but by another signing key.
 * @param signingKey of the object storage, its current one
 * @param end in seconds since 1970; at most {@link BUCKET_CREDENTIAL_LIFE} from now
 */
export function bucketCredential(
  signingKey: string,
  { bucket, rights, end }: { readonly bucket: string; readonly rights: BucketRights; readonly end: number },
): BucketCredential {
  const key = createHash('sha256').update(signingKey).digest('hex').slice(0, 8);
  const accessKey = `delos_${rights}_${end}_${key}_${randomBytes(4).toString('hex')}_${bucket}`;
  return { accessKey, secretKey: createHmac('sha256', signingKey).update(accessKey).digest('base64url') };
}
