import { z } from 'zod';
import { dnsSubdomain, plainText } from '../../config-fields.ts';
import type { RuleFault } from '../rule-fault.ts';

/** Classes of one kind. */
const MOST = 20;

/** What every class has. */
const base = {
  name: dnsSubdomain.describe('Its name'),
  keep: z.boolean().default(false).describe('Its volumes outlive their claims, until somebody removes them'),
};

/** What a class has whose engine gets devices whole. */
const devices = z
  .array(
    z.strictObject({
      node: dnsSubdomain.describe('Name of the node'),
      path: z
        .string()
        .max(255)
        .regex(/^\/dev(\/[A-Za-z0-9._:+-]+)+$/, 'expected a path such as /dev/disk/by-id/nvme-…')
        .refine((path) => !path.split('/').includes('..'), 'expected a path without .. in it')
        .describe('The device; best a name below /dev/disk/by-id, which stays'),
    }),
  )
  .max(1000)
  .default([])
  .describe('Devices that the engine gets whole. `delos preflight --storage` looks whether each is there and free');

const fileSystem = z.enum(['ext4', 'xfs', 'btrfs']).default('ext4').describe('File system of its volumes');
const thin = z
  .boolean()
  .default(false)
  .describe('Space is taken when it is written: all volumes together may ask for more than there is');
const replicas = z.number().int().min(1).max(20).default(3).describe('Copies of a volume, each on another node');
/** A name that an engine knows. */
const engineName = plainText.regex(/^[A-Za-z0-9][A-Za-z0-9+_./:-]*$/, 'expected a name without spaces');

const localPath = z.strictObject(base);

const openebsLvm = z.strictObject({
  ...base,
  volumeGroup: engineName.describe('The volume group, which each node has that shall hold volumes'),
  fileSystem,
  thin,
  devices,
});

const openebsZfs = z.strictObject({
  ...base,
  pool: engineName.describe('The pool or a dataset in it, which each node has that shall hold volumes'),
  fileSystem: z
    .enum(['zfs', 'ext4', 'xfs', 'btrfs'])
    .default('zfs')
    .describe('File system of its volumes. All but zfs lie on a device that the pool has'),
  compression: z.enum(['on', 'off', 'lz4', 'zstd', 'gzip']).optional().describe('Left out: as the pool has it'),
  thin,
  devices,
});

const mayastor = z.strictObject({ ...base, replicas, fileSystem, thin, devices });

const topolvm = z.strictObject({
  ...base,
  deviceClass: engineName.optional().describe('Class of devices, as lvmd has it; left out: its default'),
  fileSystem,
  devices,
});

const longhorn = z.strictObject({
  ...base,
  replicas,
  dataLocality: z
    .enum(['disabled', 'best-effort', 'strict-local'])
    .default('disabled')
    .describe('Whether a copy shall lie on the node of the Pod'),
  fileSystem: z.enum(['ext4', 'xfs']).default('ext4').describe('File system of its volumes'),
  diskSelector: z.array(engineName).max(20).default([]).describe('Tags of the disks that it may use'),
});

const awsEbs = z.strictObject({
  ...base,
  type: z.enum(['gp3', 'gp2', 'io1', 'io2', 'st1', 'sc1']).default('gp3').describe('Type of its disks'),
  iops: z.number().int().positive().optional().describe('Operations in a second; left out: those of the type'),
  throughput: z.number().int().positive().optional().describe('MiB in a second, of gp3'),
  encrypted: z.boolean().default(true).describe('Its disks are encrypted'),
  kmsKeyId: plainText.optional().describe('The key for that; left out: the account’s own'),
  fileSystem,
});

const gcpDisk = z.strictObject({
  ...base,
  type: z
    .enum(['pd-balanced', 'pd-ssd', 'pd-standard', 'pd-extreme', 'hyperdisk-balanced'])
    .default('pd-balanced')
    .describe('Type of its disks'),
  regional: z.boolean().default(false).describe('Each disk has a copy in another zone'),
  fileSystem,
});

const AZURE_DISKS = [
  'Standard_LRS',
  'StandardSSD_LRS',
  'StandardSSD_ZRS',
  'Premium_LRS',
  'Premium_ZRS',
  'PremiumV2_LRS',
  'UltraSSD_LRS',
] as const;

const azureDisk = z.strictObject({
  ...base,
  sku: z.enum(AZURE_DISKS).default('StandardSSD_LRS').describe('Type of its disks'),
  cachingMode: z.enum(['None', 'ReadOnly', 'ReadWrite']).default('ReadOnly').describe('Cache of the machine'),
  fileSystem,
});

/** StorageClasses that Delos makes, a list for each kind. What follows from each is in constructs. */
export const storageClasses = z.strictObject({
  localPath: z.array(localPath).max(MOST).default([]).describe('Folders of a node, by local-path'),
  openebsLvm: z.array(openebsLvm).max(MOST).default([]).describe('Logical volumes of a node, by OpenEBS'),
  openebsZfs: z.array(openebsZfs).max(MOST).default([]).describe('Pools of ZFS of a node, by OpenEBS'),
  mayastor: z.array(mayastor).max(MOST).default([]).describe('Copies on several nodes, by OpenEBS Mayastor'),
  topolvm: z.array(topolvm).max(MOST).default([]).describe('Logical volumes of a node, by TopoLVM'),
  longhorn: z.array(longhorn).max(MOST).default([]).describe('Copies on several nodes, by Longhorn'),
  awsEbs: z.array(awsEbs).max(MOST).default([]).describe('Disks of Amazon EBS'),
  gcpDisk: z.array(gcpDisk).max(MOST).default([]).describe('Persistent disks of Google Cloud'),
  azureDisk: z.array(azureDisk).max(MOST).default([]).describe('Managed disks of Azure'),
});
/** StorageClasses, as delos.yaml has them. */
export type StorageClassSections = z.infer<typeof storageClasses>;

/** A device of a node. */
export type Device = StorageClassSections['topolvm'][number]['devices'][number];

/** What a StorageClass is made of, whatever its kind. */
export interface ClassData {
  /** Name of the object. */
  readonly name: string;
  /** Key of its kind under `storageClasses` in delos.yaml. */
  readonly kind: string;
  /** Who makes its volumes. */
  readonly provisioner: string;
  /** What the provisioner is told. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Whether its volumes can be made larger. */
  readonly expands: boolean;
  /** A volume is made where its first Pod is, since only some nodes can have it. Else at once. */
  readonly waitsForPod: boolean;
  /** A volume outlives its claim. */
  readonly keep: boolean;
  /** It is a driver of CSI, which says in the cluster that it is there. */
  readonly csi: boolean;
  /** How the provisioner comes into a cluster, in words. */
  readonly install: string;
  /** Devices of nodes that the engine gets whole. */
  readonly devices: readonly Device[];
  /** What may stand on such a device: the engine's own marks, as wipefs(8) names them. All else is somebody's data. */
  readonly marks: readonly string[];
}

/** Names that the embedded cluster's own classes have. */
const TAKEN = ['local-path', 'delos-disks'];

/** A name is one class's alone, of whatever kind. */
export function storageClassFaults(sections: StorageClassSections): readonly RuleFault[] {
  const seen = new Set(TAKEN);
  return Object.entries(sections).flatMap(([kind, list]) =>
    list.flatMap(({ name }, index) => {
      const path = ['storageClasses', kind, index, 'name'];
      const again = seen.has(name);
      seen.add(name);
      if (!again) return [];
      const whose = TAKEN.includes(name) ? 'a class of the embedded cluster' : 'another class';
      return [{ path, message: `\`${name}\` is the name of ${whose}: choose another` }];
    }),
  );
}
