import { OBJECT_REGION, plainText, secretReference } from '@delos/core';
import { Construct } from 'constructs';
import { z } from 'zod';
import { peerOf, reachKeys, refuseUnreachable } from '../../base/external/external-server.ts';
import { secretKeyOf } from '../../base/external/secret-reference.ts';
import type { ExternalForm, ServiceConstruct } from '../../base/service.ts';
import type { BucketServer } from '../../base/storage/bucket.ts';
import { portOfUrl } from '../../url-port.ts';
import { externalObjectStorage } from './external.ts';

const ENDPOINT = /^https?:\/\/[^\s/?#@]+(\/[^\s?#]*[^\s?#/])?$/;

const section = z
  .strictObject({
    endpoint: z
      .string()
      .refine(
        (text) => ENDPOINT.test(text) && URL.canParse(text),
        'expected https://HOST[:PORT][/PATH] of an S3 storage, no slash at the end',
      )
      .describe('Where it is; bucket and key are appended to it'),
    region: plainText.default(OBJECT_REGION).describe('The region that requests are signed for'),
    authority: secretReference
      .optional()
      .describe('Where the authority of its certificate is, PEM; left out: a public one'),
    ...reachKeys,
    buckets: z
      .record(
        z.string(),
        z.strictObject({
          bucket: plainText.optional().describe('Name of the bucket there; left out: this key'),
          accessKey: plainText.describe('The access key'),
          secretKey: secretReference.describe('Where the access key’s secret is'),
        }),
      )
      .default({})
      .describe('Each bucket that services ask for'),
  })
  .superRefine((given, context) => {
    refuseUnreachable(given, { host: new URL(given.endpoint).hostname, path: ['endpoint'] }, context);
  });

/** `services.objectStorage.external` of delos.yaml. */
export const externalForm: ExternalForm<
  z.infer<typeof section>,
  ServiceConstruct & { readonly buckets: BucketServer }
> = {
  config: section,
  lists: { key: 'buckets', of: 'bucket' },
  build: (scope, { namespace }, given) => {
    const own = new Construct(scope, 'object-storage');
    const secretOf = (name: string, reference: (typeof given.buckets)[string]['secretKey']) =>
      secretKeyOf(own, `object-storage-${name}`, namespace, reference);
    const buckets = Object.entries(given.buckets).map(([asked, { bucket, accessKey, secretKey }]) => [
      asked,
      {
        ...(bucket === undefined ? {} : { name: bucket }),
        accessKey,
        secretKey: secretOf(`bucket-${asked}`, secretKey),
      },
    ]);
    return {
      buckets: externalObjectStorage({
        endpoint: given.endpoint,
        region: given.region,
        ...(given.authority === undefined ? {} : { authority: secretOf('authority', given.authority) }),
        peer: peerOf(given, new URL(given.endpoint).hostname, portOfUrl(given.endpoint)),
        buckets: Object.fromEntries(buckets),
      }),
    };
  },
};
