import { type Engine, FS_TYPE } from './kind.ts';

const text = (value: number | undefined): string | undefined => (value === undefined ? undefined : String(value));

/**
 * Disks of Amazon EBS.
 * @see https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/parameters.md
 */
export const awsEbs: Engine<'awsEbs'> = {
  provisioner: 'ebs.csi.aws.com',
  parameters: ({ type, iops, throughput, encrypted, kmsKeyId, fileSystem }) => ({
    type,
    iops: text(iops),
    throughput: text(throughput),
    encrypted: String(encrypted),
    kmsKeyId,
    [FS_TYPE]: fileSystem,
  }),
  expands: true,
  waitsForPod: true,
  install: 'add the driver to the cluster: eksctl create addon --name aws-ebs-csi-driver',
};

/**
 * Persistent disks of Google Cloud.
 * @see https://github.com/kubernetes-sigs/gcp-compute-persistent-disk-csi-driver
 */
export const gcpDisk: Engine<'gcpDisk'> = {
  provisioner: 'pd.csi.storage.gke.io',
  parameters: ({ type, regional, fileSystem }) => ({
    type,
    'replication-type': regional ? 'regional-pd' : 'none',
    [FS_TYPE]: fileSystem,
  }),
  expands: true,
  waitsForPod: true,
  install: 'switch it on: gcloud container clusters update NAME --update-addons=GcePersistentDiskCsiDriver=ENABLED',
};

/**
 * Managed disks of Azure.
 * @see https://github.com/kubernetes-sigs/azuredisk-csi-driver/blob/master/docs/driver-parameters.md
 */
export const azureDisk: Engine<'azureDisk'> = {
  provisioner: 'disk.csi.azure.com',
  parameters: ({ sku, cachingMode, fileSystem }) => ({ skuName: sku, cachingMode, [FS_TYPE]: fileSystem }),
  expands: true,
  waitsForPod: true,
  install: 'switch it on: az aks update --enable-disk-driver',
};
