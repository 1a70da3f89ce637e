import type { Engine } from './kind.ts';

const install = 'install its engine with the Helm chart openebs: https://openebs.io/docs';
const yesNo = (on: boolean): string => (on ? 'yes' : 'no');

/**
 * Logical volumes of a node.
 * @see https://github.com/openebs/lvm-localpv/blob/develop/docs/storageclasses.md
 */
export const openebsLvm: Engine<'openebsLvm'> = {
  provisioner: 'local.csi.openebs.io',
  parameters: ({ volumeGroup, fileSystem, thin }) => ({
    storage: 'lvm',
    volgroup: volumeGroup,
    fsType: fileSystem,
    thinProvision: yesNo(thin),
  }),
  expands: true,
  waitsForPod: true,
  install,
  marks: ['LVM2_member'],
};

/**
 * Datasets of a pool of a node, or devices that it has.
 * @see https://github.com/openebs/zfs-localpv/blob/develop/docs/storageclasses.md
 */
export const openebsZfs: Engine<'openebsZfs'> = {
  provisioner: 'zfs.csi.openebs.io',
  parameters: ({ pool, fileSystem, compression, thin }) => ({
    poolname: pool,
    fstype: fileSystem,
    compression,
    thinprovision: yesNo(thin),
  }),
  expands: true,
  waitsForPod: true,
  install,
  marks: ['zfs_member'],
};

/**
 * Volumes with copies on several nodes over NVMe. Its pools have a mark of its own, which is not looked for.
 * @see https://github.com/openebs/mayastor-docs/blob/main/reference/storage-class-parameters.md
 */
export const mayastor: Engine<'mayastor'> = {
  provisioner: 'io.openebs.csi-mayastor',
  parameters: ({ replicas, thin, fileSystem }) => ({
    protocol: 'nvmf',
    repl: String(replicas),
    thin: String(thin),
    fsType: fileSystem,
  }),
  expands: true,
  waitsForPod: false,
  install,
};
