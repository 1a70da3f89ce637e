import { count, OBJECT_REGION, plainText, secretReference } from '@delos/core';
import type { Construct } from 'constructs';
import { z } from 'zod';
import { peerOf, reachKeys, refuseUnreachable } from '../../base/external/external-server.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import type { Namespace } from '../../base/namespace.ts';
import type { Bucket } from '../../base/storage/bucket.ts';
import { portOfUrl } from '../../url-port.ts';
import { externalObjectStorage } from '../object-storage/external.ts';

/** Name of its bucket in the platform's object storage. */
export const ARCHIVE_BUCKET = 'database-archive';

/** No path: the archive's client signs requests for a storage at the root of its host. */
const ENDPOINT = /^https?:\/\/[^\s/?#@]+$/;

const store = z
  .strictObject({
    endpoint: z
      .string()
      .refine(
        (text) => ENDPOINT.test(text) && URL.canParse(text),
        'expected https://HOST[:PORT] of an S3 storage, without a path',
      )
      .describe('Where it is'),
    region: plainText.default(OBJECT_REGION).describe('The region that requests are signed for'),
    bucket: plainText.describe('Name of the bucket, which must be there'),
    accessKey: plainText.describe('The access key, which needs to read, write, list and remove objects of the bucket'),
    secretKey: secretReference.describe('Where the access key’s secret is'),
    authority: secretReference
      .optional()
      .describe('Where the authority of its certificate is, PEM; left out: a public one'),
    ...reachKeys,
  })
  .superRefine((given, context) => {
    if (!URL.canParse(given.endpoint)) return;
    refuseUnreachable(given, { host: new URL(given.endpoint).hostname, path: ['endpoint'] }, context);
  });

const seconds = (least: number, most: number) => z.number().int().min(least).max(most);

/** `services.databaseArchive` of delos.yaml. */
export const archiveSection = z
  .strictObject({
    within: seconds(5, 3600)
      .default(60)
      .describe('Seconds within which what is committed is in the bucket: so much may be lost with the database'),
    baseEvery: seconds(600, 7 * 86_400)
      .default(86_400)
      .describe('Seconds between two base backups. More often: quicker back, and more space'),
    keepDays: count.min(1).max(3650).default(7).describe('Days that one can go back'),
    key: secretReference
      .optional()
      .describe(
        'Where the age key is that the archive is encrypted with, as `delos backup --new-key` makes it; left out: it is not encrypted. Of several lines the first encrypts, all of them open',
      ),
    store: store
      .optional()
      .describe('An S3 storage for the archive alone; left out: a bucket of the platform’s object storage'),
  })
  .prefault({});
export type ArchiveSection = z.infer<typeof archiveSection>;

/** The bucket of a storage for the archive alone. */
export function storeOf(scope: Construct, namespace: Namespace, given: NonNullable<ArchiveSection['store']>): Bucket {
  const secretOf = (name: string, reference: (typeof given)['secretKey']) =>
    secretKeyOf(scope, `database-archive-${name}`, namespace, reference);
  return externalObjectStorage({
    endpoint: given.endpoint,
    region: given.region,
    ...(given.authority === undefined ? {} : { authority: secretOf('authority', given.authority) }),
    peer: peerOf(given, new URL(given.endpoint).hostname, portOfUrl(given.endpoint)),
    buckets: {
      [ARCHIVE_BUCKET]: {
        name: given.bucket,
        accessKey: given.accessKey,
        secretKey: secretOf('secret-key', given.secretKey),
      },
    },
  }).bucket(ARCHIVE_BUCKET);
}
