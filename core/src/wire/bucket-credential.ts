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
 * @param rights `m`, by the key for buckets of projects alone: to make the bucket, set its policy and remove it
 * @param end in seconds since 1970; at most {@link BUCKET_CREDENTIAL_LIFE} from now
 */
export function bucketCredential(
  signingKey: string,
  { bucket, rights, end }: { readonly bucket: string; readonly rights: BucketRights | 'm'; readonly end: number },
): BucketCredential {
  const accessKey = `delos_${rights}_${end}_${keyName(signingKey)}_${randomBytes(4).toString('hex')}_${bucket}`;
  return { accessKey, secretKey: secretOf(signingKey, accessKey) };
}

/**
 * A new access key that does not end. It may do what the policies of buckets allow it by its name, and nothing else: who takes
 * it out of them has called it back.
 * @param signingKey for buckets of projects, the current one
 */
export const keptAccessKey = (signingKey: string): string =>
  `delos_k_${keyName(signingKey)}_${randomBytes(6).toString('hex')}`;

/**
 * The secret of an access key that does not end.
 * @param signingKeys for buckets of projects: the current one, and former ones
 * @returns undefined where the key that signed it is none of them
 */
export function keptSecret(signingKeys: readonly string[], accessKey: string): string | undefined {
  const signed = signingKeys.find((key) => accessKey.startsWith(`delos_k_${keyName(key)}_`));
  return signed === undefined ? undefined : secretOf(signed, accessKey);
}

const keyName = (signingKey: string): string => createHash('sha256').update(signingKey).digest('hex').slice(0, 8);
const secretOf = (signingKey: string, accessKey: string): string =>
  createHmac('sha256', signingKey).update(accessKey).digest('base64url');
