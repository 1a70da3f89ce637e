import type { Peer } from '../../base/connections.ts';
import type { SecretKey } from '../../base/secret.ts';
import type { Bucket, BucketServer } from '../../base/storage/bucket.ts';

/** An S3 storage that is there already. */
export interface ExternalObjectStorageProps {
  /** `https://HOST[:PORT][/PATH]`, no slash at its end, to which bucket and key are appended. */
  readonly endpoint: string;
  /** The region that requests are signed for. */
  readonly region: string;
  /** Who has signed its certificate, in PEM. @default a public authority */
  readonly authority?: SecretKey;
  /** Its addresses or Pods, as NetworkPolicies name them. A policy knows no host names. */
  readonly peer: Extract<Peer, { readonly kind: 'addresses' | 'pods' }>;
  /** Name by which a bucket is asked for → the bucket. */
  readonly buckets: Readonly<Record<string, ExternalBucket>>;
}

/** A bucket that is there already, and who may read and write in it. */
export interface ExternalBucket {
  /** Name of the bucket there. @default the name by which it is asked for */
  readonly name?: string;
  /** The access key. */
  readonly accessKey: string;
  /** The access key's secret, in a Secret of its client's namespace. */
  readonly secretKey: SecretKey;
}

/** @throws Error when a bucket is asked for that is not listed */
export function externalObjectStorage({
  endpoint,
  region,
  authority,
  peer,
  buckets,
}: ExternalObjectStorageProps): BucketServer {
  return {
    has: (asked) => Object.hasOwn(buckets, asked),
    bucket(asked): Bucket {
      const found = Object.hasOwn(buckets, asked) ? buckets[asked] : undefined;
      if (found === undefined) {
        const listed = Object.keys(buckets).join(', ') || 'none';
        throw new Error(`the object storage at ${endpoint} has no bucket ${asked}; listed are: ${listed}`);
      }
      const { name = asked, accessKey, secretKey } = found;
      const own = { endpoint, region, name, accessKey, secretKey, peer, ready: [] };
      return authority === undefined ? own : { ...own, authority };
    },
  };
}
