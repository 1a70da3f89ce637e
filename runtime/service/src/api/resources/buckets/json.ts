import type { BucketCredentialRow, BucketRow } from '../../../db/schema.ts';

/** What the client takes it for: S3 with an endpoint of its own. */
export const PROVIDER = 'minio';

/** A bucket as the official client reads it. */
export const bucketJson = (row: BucketRow): Record<string, unknown> => ({
  id: row.id,
  ...(row.name === null ? {} : { name: row.name }),
  owner: row.owner,
  provider: row.provider ?? PROVIDER,
  org_name: row.org,
  project_name: row.project,
  created_at: row.created_at.toISOString(),
  imported: row.provider !== null,
  public: row.public,
});

export interface ShownAccess {
  readonly bucket: string;
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** @default it does not end */
  readonly end?: Date;
}

/**
 * Credentials for one bucket as the client gives them to its S3 library. That wants a token of what ends; what it would say, the
 * access key says itself.
 */
export const accessJson = ({ bucket, endpoint, region, accessKey, secretKey, end }: ShownAccess) => ({
  bucket_id: bucket,
  provider: PROVIDER,
  credentials: {
    bucket_name: bucket,
    endpoint_url: endpoint,
    region_name: region,
    access_key_id: accessKey,
    secret_access_key: secretKey,
    ...(end === undefined ? {} : { session_token: accessKey, expiration: end.toISOString() }),
  },
});

/** A credential that does not end, as the client reads it. */
export const credentialJson = (
  row: BucketCredentialRow,
  credentials: readonly ReturnType<typeof accessJson>[],
): Record<string, unknown> => ({
  id: row.id,
  ...(row.name === null ? {} : { name: row.name }),
  owner: row.owner,
  read_only: row.read_only,
  credentials,
});
