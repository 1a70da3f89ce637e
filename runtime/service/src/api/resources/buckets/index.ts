import type { BucketRow } from '../../../db/schema.ts';
import type { ObjectResource, QuotaResource } from '../../resource.ts';
import { findBucket } from './find.ts';
import { type BucketDemand, checkBuckets } from './make.ts';
import { bucketRoutes } from './routes.ts';
import { sweepBuckets } from './sweep.ts';

export const buckets: ObjectResource<BucketRow> & QuotaResource<BucketDemand> = {
  name: 'buckets',
  title: 'buckets',
  prefix: '/api/v1/buckets',
  config: [{ in: 'cluster', key: 'buckets_url' }],
  tables: ['buckets', 'bucket_credentials', 'bucket_credential_buckets'],
  wanted: ({ buckets: settings }) => settings !== undefined,
  routes: bucketRoutes,
  find: findBucket,
  quota: checkBuckets,
  sweep: async (deps) => {
    if (deps.settings.buckets !== undefined) await sweepBuckets(deps, deps.settings.buckets);
  },
  // Each command of the client asks for several.
  asks: ['POST /buckets/:id/make_tmp_credentials', 'POST /buckets/:id/sign_blob_url'],
  audit: {
    'POST /buckets': 'bucket.create',
    'POST /buckets/import/external': 'bucket.import',
    'PATCH /buckets/:id': 'bucket.publish',
    'DELETE /buckets/:id': 'bucket.remove',
    'POST /persistent_credentials': 'bucket-credential.create',
    'DELETE /persistent_credentials/:id': 'bucket-credential.remove',
  },
};
