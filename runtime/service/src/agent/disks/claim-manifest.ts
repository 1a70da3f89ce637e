import { CLUSTER_LABEL, DISK_LABEL, type DiskDesire, MANAGED_BY, ORG_LABEL, PROJECT_LABEL } from '@delos/core';

/**
 * A disk as a claim. One node at a time may have it: which job of that node may write is the scheduler's matter.
 * @param storageClass undefined: the cluster's default
 */
export function claimManifest(
  { id, spec }: DiskDesire,
  cluster: string,
  storageClass: string | undefined,
): Readonly<Record<string, unknown>> {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: id,
      namespace: spec.namespace,
      labels: {
        ...MANAGED_BY,
        [DISK_LABEL]: id,
        [CLUSTER_LABEL]: cluster,
        [ORG_LABEL]: spec.org,
        [PROJECT_LABEL]: spec.project,
      },
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storageClass === undefined ? {} : { storageClassName: storageClass }),
      resources: { requests: { storage: String(spec.storage) } },
    },
  };
}
