import { DISK_CLASS, PROVISIONER } from '../../disks/index.ts';
import { type Addon, addon, binding, clusterRole } from './object.ts';

const NAME = 'delos:disks';

/** The class of disks that the node itself keeps, and what their keeper may do. */
export function disks(): readonly Addon[] {
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
      { provisioner: PROVISIONER, volumeBindingMode: 'Immediate', reclaimPolicy: 'Delete' },
    ),
  ];
}
