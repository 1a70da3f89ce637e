import { OBJECT_PATH, quantityOf, size } from '@delos/core';
import { z } from 'zod';
import type { ServiceConstruct, ServiceDescriptor } from '../../base/service.ts';
import type { BucketServer } from '../../base/storage/bucket.ts';
import { ARCHIVE_BUCKET } from '../database-archive/section.ts';
import { externalForm } from './external-form.ts';
import { OBJECT_STORAGE_RESOURCES, OBJECT_STORAGE_USER, ObjectStorage } from './object-storage.ts';

const section = z
  .strictObject({ storage: size.prefault('10Gi').describe('Size of its volume, when that is made') })
  .prefault({});

/** Of one request, as everywhere in S3. Larger objects come in parts. */
const MAX_OBJECT_BYTES = 5 * 2 ** 30;

/**
 * Each object is a file that appears and goes by one rename, with its attributes beside its bytes: what comes or goes while tar
 * walks is in it whole or not at all. tar ends with 1 for what went. The archive of the database is
 * not in it: it is of a history that ends with this backup.
 */
const SAVE = `cd /data
find . -mindepth 1 -maxdepth 1 ! -name lost+found ! -name ${ARCHIVE_BUCKET} -print0 |
  tar --create --file=- --xattrs --xattrs-include='user.*' --null --files-from=- || [ $? -eq 1 ]`;

export { ObjectStorage };

/** The service that keeps objects in buckets. */
export const objectStorage: ServiceDescriptor<
  z.infer<typeof section>,
  ServiceConstruct & { readonly buckets: BucketServer },
  z.infer<(typeof externalForm)['config']>
> = {
  name: 'object-storage',
  idea: 'object storage: buckets, by S3',
  image: 'objects',
  config: section,
  user: OBJECT_STORAGE_USER,
  resources: OBJECT_STORAGE_RESOURCES,
  optional: true,
  diesWithNode: 'it runs once, on one volume',
  backup: { save: ['/bin/sh', '-c', SAVE], claim: 'data', folder: '.' },
  // The parts of a large object are put together before its upload is answered.
  routes: [{ paths: [OBJECT_PATH, `${OBJECT_PATH}/*`], port: 's3', maxBodyBytes: MAX_OBJECT_BYTES, answerMinutes: 30 }],
  metrics: { port: 'internal' },
  alerts: [
    {
      name: 'ObjectVolumeNearlyFull',
      severity: 'warning',
      expr: 'delos_objects_volume_free_bytes / delos_objects_volume_bytes < 0.15 or delos_objects_volume_free_files / (delos_objects_volume_files > 0) < 0.1',
      for: '10m',
      summary: 'The volume of the object storage is nearly full: soon nothing can be written to buckets',
    },
    {
      name: 'ObjectStorageErrors',
      severity: 'warning',
      expr: 'sum by (job) (rate(delos_objects_requests_total{answer=~"5xx|broken"}[5m])) / sum by (job) (rate(delos_objects_requests_total[5m])) > 0.05',
      for: '10m',
      summary: 'The object storage answers more than one request of twenty with an error of its own',
    },
    {
      name: 'ObjectStorageBusy',
      severity: 'warning',
      expr: 'sum by (job) (rate(delos_objects_requests_total{answer="busy"}[5m])) > 0.1',
      for: '10m',
      summary: 'The object storage turns requests away, since too many are under way',
    },
  ],
  panels: [
    {
      title: 'Requests',
      unit: 'per-second',
      series: [{ expr: 'sum by (answer) (rate(delos_objects_requests_total[5m]))', legend: '{{answer}}' }],
      emptyUnless: 'a client has asked',
    },
    {
      title: 'Space',
      unit: 'bytes',
      series: [
        { expr: 'delos_objects_volume_bytes', legend: 'size' },
        { expr: 'delos_objects_volume_free_bytes', legend: 'free' },
      ],
    },
  ],
  external: externalForm,
  build: (scope, { namespace, image, own, config, resources }) =>
    new ObjectStorage(scope, 'object-storage', {
      namespace,
      image,
      user: objectStorage.user,
      resources,
      storage: String(quantityOf(own.storage)),
      storageClass: config.cluster.storageClass,
      projectBuckets: { bytes: config.buckets.maxSize, objects: config.buckets.maxObjects },
    }),
};
