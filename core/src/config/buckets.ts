import { z } from 'zod';
import { size } from '../config-fields.ts';
import { parseRegistry } from '../image-registry.ts';

/** Buckets of projects, in the object storage of the platform. */
export const buckets = z.strictObject({
  perProject: z.number().int().positive().max(1_000).default(50).describe('Most buckets of one project'),
  maxSize: size
    .prefault('100Gi')
    .describe('What one bucket holds at most, parts of uploads that are not ended included'),
  maxObjects: z.number().int().positive().max(10_000_000).default(1_000_000).describe('Most objects of one bucket'),
  allowedEndpoints: z
    .array(
      z
        .string()
        .refine((name) => parseRegistry(name) !== undefined, 'expected HOST[:PORT] of a server, without https://'),
    )
    .max(100)
    .default([])
    .describe('HOST:PORT of object storages whose buckets may be imported though they are in a private network'),
});
