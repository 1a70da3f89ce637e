import { DISK_CLASS, PROVISIONER } from '../../disks/index.ts';
import { type Addon, addon, binding, clusterRole } from './object.ts';

const NAME = 'delos:disks';

/**
 * The class of disks that nodes keep themselves, and what their keepers may do. Where there are several nodes, a disk is made
 * where the first Pod with it goes; else at once, so that what cannot be made is told at once.
 */
export function disks(nodes: number): readonly Addon[] {
  return [
    clusterRole(NAME, [
      { groups: [''], resources: ['persistentvolumeclaims'], verbs: ['list', 'watch'] },
      { groups: [''], resources: ['persistentvolumes'], verbs: ['list', 'watch', 'create', 'patch', 'delete'] },
      { groups: [''], resources: ['events'], verbs: ['create', 'patch'] },
    ]),
    binding(NAME, NAME, { user: NAME }),
    addon(
      'storage.k8s.io/v1',
      'StorageClass',
      { name: DISK_CLASS },
      {
        provisioner: PROVISIONER,
        volumeBindingMode: nodes > 1 ? 'WaitForFirstConsumer' : 'Immediate',
        reclaimPolicy: 'Delete',
      },
    ),
  ];
}
