import { type Engine, FS_TYPE } from './kind.ts';

/** Folders of a node, by the local-path provisioner. */
export const localPath: Engine<'localPath'> = {
  provisioner: 'rancher.io/local-path',
  parameters: () => ({}),
  // A folder has no size.
  expands: false,
  waitsForPod: true,
  csi: false,
  install: 'install the local-path provisioner: https://github.com/rancher/local-path-provisioner',
};

/**
 * Logical volumes of a node, by TopoLVM, which knows how much room each node has.
 * @see https://github.com/topolvm/topolvm/blob/main/docs/user-manual.md
 */
export const topolvm: Engine<'topolvm'> = {
  provisioner: 'topolvm.io',
  parameters: ({ fileSystem, deviceClass }) => ({ [FS_TYPE]: fileSystem, 'topolvm.io/device-class': deviceClass }),
  expands: true,
  waitsForPod: true,
  install: 'install it with the Helm chart topolvm: https://github.com/topolvm/topolvm',
  marks: ['LVM2_member'],
};

/**
 * Volumes with copies on several nodes, by Longhorn. It makes files in a folder of the node, whose file system the site has made.
 * @see https://longhorn.io/docs/latest/references/storage-class-parameters/
 */
export const longhorn: Engine<'longhorn'> = {
  provisioner: 'driver.longhorn.io',
  parameters: ({ replicas, dataLocality, fileSystem, diskSelector }) => ({
    numberOfReplicas: String(replicas),
    // Minutes: a copy that could not be reached for two days is given up.
    staleReplicaTimeout: '2880',
    dataLocality,
    fsType: fileSystem,
    diskSelector: diskSelector.length === 0 ? undefined : diskSelector.join(','),
  }),
  expands: true,
  waitsForPod: false,
  install: 'install it with the Helm chart longhorn, and open-iscsi on each node: https://longhorn.io/docs',
};
