import { z } from 'zod';
import { dnsSubdomain, size } from '../config-fields.ts';

/** Disks of projects: volumes that outlive the jobs that mount them. */
export const disks = z.strictObject({
  storageClass: dnsSubdomain
    .optional()
    .describe(
      'StorageClass of new disks; left out: the embedded node’s own, which holds each to its size, and elsewhere the cluster’s default',
    ),
  maxSize: size.prefault('1Ti').describe('Size of the largest disk'),
  perProject: z.number().int().positive().max(10_000).default(100).describe('Most disks of one project'),
});
