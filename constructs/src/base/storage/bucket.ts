import { DelosError } from '@delos/core';
import type { k8s } from 'cdk8s-plus-28';
import type { IConstruct } from 'constructs';
import type { Peer } from '../connections.ts';
import type { SecretHandle, SecretKey } from '../secret.ts';
import { env, fileOf } from '../secret-folder.ts';

/** One bucket of an S3 storage, by whatever server: how its one client reaches it and what it signs with. */
export interface Bucket {
  /** `http://HOST:PORT`, to which bucket and key are appended: `http://HOST:PORT/BUCKET/KEY`. */
  readonly endpoint: string;
  /** The region that requests are signed for. */
  readonly region: string;
  /** Name of the bucket. */
  readonly name: string;
  /** The access key, which is no secret. It reaches this bucket and no other. */
  readonly accessKey: string;
  /** The access key's secret. */
  readonly secretKey: SecretKey;
  /** Who has signed the server's certificate, in PEM, where the endpoint is https. @default a public authority */
  readonly authority?: SecretKey;
  /** To be reached by the client's Pods. */
  readonly peer: Peer;
  /** To be waited for by the client's Pods. */
  readonly ready: readonly IConstruct[];
}

/** A server of buckets: `ObjectStorage`, or `ObjectStorage.external` for one that is there already. */
export interface BucketServer {
  /**
   * A bucket with an account of its own. Asked for twice, it is the same one.
   * @param name of the bucket; also the end of the name of its Secret
   */
  bucket(name: string): Bucket;
  /** Whether it has a bucket of this name. @default it makes each that is asked for */
  has?(name: string): boolean;
}

const NAME = /^[a-z0-9][a-z0-9-]{1,40}[a-z0-9]$/;

/** @throws DelosError ERR_INTERNAL for a name that no bucket of a service can have */
export function checkBucketName(name: string): void {
  if (NAME.test(name)) return;
  throw new DelosError('ERR_INTERNAL', `no bucket of a service can be named ${JSON.stringify(name)}`, {
    hint: 'expected small letters, digits and inner hyphens, 3 to 42 of them',
  });
}

/** Secrets that a client of a bucket mounts, by `mounted`. */
export const bucketSecrets = ({ secretKey, authority }: Bucket): readonly SecretHandle[] => [
  ...new Set([secretKey, ...(authority === undefined ? [] : [authority])].map(({ secret }) => secret)),
];

/**
 * How a client reaches its bucket and signs. The access key's secret is in a file, as is a certificate authority;
 * {@link bucketSecrets} are the Secrets that have them. Addresses are path-style: no name in DNS is made for a bucket.
 */
export const bucketEnv = ({
  endpoint,
  region,
  name,
  accessKey,
  secretKey,
  authority,
}: Bucket): readonly k8s.EnvVar[] => [
  env('S3_ENDPOINT', endpoint),
  env('S3_REGION', region),
  env('S3_BUCKET', name),
  env('S3_ACCESS_KEY', accessKey),
  env('S3_SECRET_KEY_FILE', fileOf(secretKey)),
  ...(authority === undefined ? [] : [env('S3_CA_FILE', fileOf(authority))]),
];
