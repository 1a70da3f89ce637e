import { z } from 'zod';
import { dnsLabel, dnsSubdomain, host, plainText, size } from '../../config-fields.ts';
import type { RuleFault } from '../rule-fault.ts';

/** Folders of a node that it has for itself, or that go when it starts anew: nothing of users may lie in them. */
const NOT_FOR_DATA = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib64',
  '/proc',
  '/root',
  '/run',
  '/sbin',
  '/sys',
  '/tmp',
  '/usr',
  '/var/lib/cni',
  '/var/lib/containerd',
  '/var/lib/delos-volumes',
  '/var/lib/etcd',
  '/var/lib/kubelet',
  '/var/log',
  '/var/run',
  '/var/tmp',
];

/** A folder as it is named once and for all: no other spelling of it leads anywhere else. */
const folder = z
  .string()
  .max(1024)
  .regex(/^(\/[^/\p{Cc}]+)+$/u, 'expected an absolute path such as /srv/delos, no slash at its end')
  .refine(
    (path) => path.split('/').every((part) => part !== '.' && part !== '..'),
    'expected a path without . and .. in it',
  );

const mountOptions = z
  .array(z.string().regex(/^[^\s,]{1,200}$/, 'expected one option an entry, such as nfsvers=4.2'))
  .max(30)
  .default([])
  .describe('Options of mount(8)');

const secretOfDriver = z.strictObject({
  name: dnsSubdomain.describe('Its name'),
  namespace: dnsLabel.describe('The namespace that it is in'),
});

/** File storage: one volume that every node sees, with folders of projects in it. */
export const fileStorage = z.strictObject({
  size: size
    .prefault('100Gi')
    .describe('Its size. Directories and most NFS servers hold nothing to it: there it is a note alone'),
  directory: z
    .strictObject({
      path: folder
        .refine(
          (path) => !NOT_FOR_DATA.some((taken) => path === taken || path.startsWith(`${taken}/`)),
          'expected a folder that a node does not have for itself, such as /srv/delos',
        )
        .describe('The folder, on each node. Embedded nodes have this machine’s'),
      shared: z
        .boolean()
        .default(false)
        .describe(
          'It is the same on all nodes and outlives each, since you have mounted a file system there that they share',
        ),
    })
    .optional()
    .describe('A folder of the node'),
  nfs: z
    .strictObject({
      server: host.describe('Host name or address, as the nodes know it'),
      path: folder.describe('What it exports'),
      mountOptions,
    })
    .optional()
    .describe('A folder of an NFS server. The nodes need its client (package nfs-common)'),
  csi: z
    .strictObject({
      driver: dnsSubdomain.describe('Name of the driver, as `kubectl get csidriver` has it'),
      volumeHandle: plainText.describe('What the driver knows the volume by'),
      fsType: plainText.optional().describe('File system, where the driver asks for one'),
      attributes: z.record(z.string(), z.string().max(4096)).default({}).describe('What else the driver is told'),
      stageSecret: secretOfDriver.optional().describe('Secret with which a node attaches it'),
      publishSecret: secretOfDriver.optional().describe('Secret with which a Pod gets it'),
      mountOptions,
    })
    .optional()
    .describe('A volume of a CSI driver that is there already'),
  claim: z
    .strictObject({ storageClass: dnsSubdomain.describe('A StorageClass whose volumes several nodes can mount') })
    .optional()
    .describe('A volume that a StorageClass makes. It goes with its claim where the class says so'),
});
/** File storage, as delos.yaml has it. */
export type FileStorageSection = z.infer<typeof fileStorage>;

/** Ways to have it, one of which is chosen. */
export const FILE_STORAGE_KINDS = ['directory', 'nfs', 'csi', 'claim'] as const;
/** A way to have it. */
export type FileStorageKind = (typeof FILE_STORAGE_KINDS)[number];

/** The way that is chosen; undefined where there is no file storage. */
export const fileStorageKind = (storage: FileStorageSection): FileStorageKind | undefined =>
  FILE_STORAGE_KINDS.find((kind) => storage[kind] !== undefined);

/** What must hold between the fields of `storage`, and with the size of the platform. */
export function fileStorageFaults(storage: FileStorageSection, profile: string): readonly RuleFault[] {
  const [first, second] = FILE_STORAGE_KINDS.filter((kind) => storage[kind] !== undefined);
  if (first !== undefined && second !== undefined) {
    return [{ path: ['storage', second], message: `there is \`${first}\`: expected one of both` }];
  }
  if (profile !== 'ha' || storage.directory === undefined || storage.directory.shared) return [];
  return [
    {
      path: ['storage', 'directory'],
      message:
        'ha goes on when any node is lost, and a folder of one node would not: say `shared: true` where all nodes mount the same file system there, or use `nfs`, `csi` or `claim`',
    },
  ];
}
