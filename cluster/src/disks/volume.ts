import { MANAGED_BY, USED_BYTES } from '@delos/core';
import { z } from 'zod';
import { DISK_CLASS, FINALIZER, FIRST_NODE, PROVISIONER } from './names.ts';
import { HOSTNAME, liesOn, nodeAffinity } from './volume-place.ts';

/*
 * What is read and written of Kubernetes' objects.
 * https://kubernetes.io/docs/concepts/storage/persistent-volumes/
 */

/** kube-controller-manager's word to a provisioner: this claim is yours. */
const ASKED = 'volume.kubernetes.io/storage-provisioner';
const MADE_BY = 'pv.kubernetes.io/provisioned-by';
/** kube-scheduler's word: the first Pod with this claim goes to that node. */
const SELECTED = 'volume.kubernetes.io/selected-node';

const metadata = z.object({
  name: z.string(),
  namespace: z.string().default(''),
  uid: z.string(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).default([]),
  annotations: z.record(z.string(), z.string()).default({}),
});

export const claimShape = z.object({
  metadata,
  spec: z.object({
    storageClassName: z.string().default(''),
    volumeName: z.string().default(''),
    resources: z.object({ requests: z.object({ storage: z.string() }) }),
  }),
});
export type Claim = z.infer<typeof claimShape>;

export const volumeShape = z.object({
  metadata,
  spec: z.object({
    persistentVolumeReclaimPolicy: z.string().default('Retain'),
    claimRef: z.object({ uid: z.string().default('') }).optional(),
    nodeAffinity,
  }),
  status: z.object({ phase: z.string().default('Pending') }).prefault({}),
});
export type Volume = z.infer<typeof volumeShape>;

/** The name of a claim's volume, its image and its mount. */
export const nameFor = ({ metadata: { uid } }: Claim): string => `pvc-${uid}`;

/** Whether a volume was made by the keeper of this node. */
export const isOurs = ({ metadata: { annotations }, spec }: Volume, node: string): boolean =>
  annotations[MADE_BY] === PROVISIONER && liesOn(spec.nodeAffinity, node);

/**
 * Whether a claim asks this node for a volume and has none: by name, or by no node's name. A claim of the latter kind is
 * the first node's.
 */
export function asksForVolume({ metadata: { annotations, deletionTimestamp }, spec }: Claim, node: string): boolean {
  const asked = annotations[ASKED] === PROVISIONER && spec.storageClassName === DISK_CLASS;
  const here = (annotations[SELECTED] ?? FIRST_NODE) === node;
  return asked && here && spec.volumeName === '' && deletionTimestamp === undefined;
}

/** Whether its claim is gone, and what it holds with it. */
export function isReleased({ metadata: { deletionTimestamp, finalizers }, spec, status }: Volume): boolean {
  if (spec.persistentVolumeReclaimPolicy !== 'Delete') return false;
  if (status.phase === 'Released' || status.phase === 'Failed') return true;
  // Deleted by somebody: Kubernetes' own finalizer stays as long as a claim has it.
  return deletionTimestamp !== undefined && finalizers.every((each) => each === FINALIZER);
}

/** @param path of the folder that Pods get, on the node */
export function volumeManifest(claim: Claim, path: string, node: string): Readonly<Record<string, unknown>> {
  const { name, namespace, uid } = claim.metadata;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: {
      name: nameFor(claim),
      labels: { ...MANAGED_BY },
      annotations: { [MADE_BY]: PROVISIONER },
      finalizers: [FINALIZER],
    },
    spec: {
      storageClassName: DISK_CLASS,
      capacity: { storage: claim.spec.resources.requests.storage },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Delete',
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
      // The kubelet binds it only while it is there.
      local: { path },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: HOSTNAME, operator: 'In', values: [node] }] }],
        },
      },
    },
  };
}

export const usedPatch = (bytes: number) => ({ metadata: { annotations: { [USED_BYTES]: String(bytes) } } });

/** A word to whoever looks at a claim; the agent reads it. */
export function failureEvent(claim: Claim, message: string): Readonly<Record<string, unknown>> {
  const { name, namespace, uid } = claim.metadata;
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name}.disk`, namespace },
    involvedObject: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', name, namespace, uid },
    reason: 'ProvisioningFailed',
    message,
    type: 'Warning',
    source: { component: PROVISIONER },
    firstTimestamp: now,
    lastTimestamp: now,
  };
}
