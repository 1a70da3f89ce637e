import { OPERATORS } from '@delos/kube';
import { z } from 'zod';

/*
 * The fields of Kubernetes objects that disks depend on. https://kubernetes.io/docs/concepts/storage/persistent-volumes/
 */

export const claimShape = z.object({
  metadata: z.object({
    name: z.string(),
    namespace: z.string().default(''),
    uid: z.string(),
    deletionTimestamp: z.string().optional(),
    labels: z.record(z.string(), z.string()).default({}),
  }),
  spec: z.object({ volumeName: z.string().default('') }).prefault({}),
  status: z.object({ phase: z.string().default('Pending') }).prefault({}),
});
export type Claim = z.infer<typeof claimShape>;

const requirement = z.object({ key: z.string(), operator: z.enum(OPERATORS), values: z.array(z.string()).default([]) });
const term = z.object({
  matchExpressions: z.array(requirement).default([]),
  matchFields: z.array(requirement).default([]),
});
export type NodeTerm = z.infer<typeof term>;

/** A PersistentVolume: where it can be mounted. */
export const volumeShape = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).default({}) }).prefault({}),
  spec: z.object({
    nodeAffinity: z
      .object({ required: z.object({ nodeSelectorTerms: z.array(term).default([]) }).optional() })
      .optional(),
  }),
});
export type Volume = z.infer<typeof volumeShape>;

export const claimEvents = z.object({
  items: z.array(
    z.object({
      reason: z.string().default(''),
      message: z.string().default(''),
      lastTimestamp: z.string().nullish(),
      eventTime: z.string().nullish(),
      metadata: z.object({ creationTimestamp: z.string().nullish() }).prefault({}),
    }),
  ),
});
export type ClaimEvent = z.infer<typeof claimEvents>['items'][number];
