import { classesOf, type DelosConfig } from '@delos/constructs';
import { DEFAULT_CLASS_ANNOTATION, FILE_STORAGE_CLAIM, fileStorageKind, PLATFORM_NAMESPACE } from '@delos/core';
import { z } from 'zod';
import type { Kube } from '../../instance/kube.ts';

/** What volumes are made of, as the cluster shows it. */
export interface StorageStatus {
  /** The claim of the file storage; null where delos.yaml asks for none. */
  readonly files: { readonly phase: string; readonly volume: string | null } | null;
  /** What is wrong, and what to do about it. */
  readonly complaints: readonly { readonly message: string; readonly todo: string }[];
}

const classList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), annotations: z.record(z.string(), z.string()).default({}) }),
      volumeBindingMode: z.string().default('Immediate'),
    }),
  ),
});
/** StorageClasses of a cluster. */
export type StorageClasses = z.infer<typeof classList>['items'];

const claimList = z.object({
  items: z.array(
    z.object({
      spec: z.object({ volumeName: z.string().optional(), storageClassName: z.string().optional() }),
      status: z.object({ phase: z.string().default('Pending') }).prefault({}),
    }),
  ),
});
type Claim = z.infer<typeof claimList>['items'][number];

/** @throws DelosError ERR_CLUSTER_UNREACHABLE */
export async function storageStatus(kube: Kube, config: DelosConfig): Promise<StorageStatus> {
  const [classes, claims] = await Promise.all([
    kube.json(classList, ['get', 'storageclasses']),
    kube.json(claimList, [
      'get',
      'persistentvolumeclaims',
      ...['-n', PLATFORM_NAMESPACE, `--field-selector=metadata.name=${FILE_STORAGE_CLAIM}`],
    ]),
  ]);
  return storageOf(config, classes.items, claims.items[0]);
}

/** Judges what a cluster shows. */
export function storageOf(config: DelosConfig, classes: StorageClasses, claim: Claim | undefined): StorageStatus {
  const wanted = fileStorageKind(config.storage) !== undefined;
  return {
    files: wanted ? { phase: claim?.status.phase ?? 'missing', volume: claim?.spec.volumeName ?? null } : null,
    complaints: [...missingClasses(config, classes), ...(wanted ? claimComplaints(config, classes, claim) : [])],
  };
}

/** What delos.yaml names. */
function missingClasses(
  { cluster, disks, storage, storageClasses }: DelosConfig,
  classes: StorageClasses,
): StorageStatus['complaints'] {
  const names = classes.map(({ metadata }) => metadata.name);
  const there = names.length === 0 ? 'there is none' : `there are: ${names.join(', ')}`;
  const named = [
    { key: 'cluster.storageClass', name: cluster.storageClass, what: 'new volumes of the platform' },
    { key: 'disks.storageClass', name: disks.storageClass, what: 'new disks' },
    { key: 'storage.claim.storageClass', name: storage.claim?.storageClass, what: 'the file storage' },
  ];
  const made = classesOf(storageClasses).map(({ name }) => name);
  const missing = named.flatMap(({ key, name, what }) =>
    name === undefined || names.includes(name)
      ? []
      : [
          {
            message: `the StorageClass ${name} is not there: ${what} cannot be made (${there})`,
            todo: made.includes(name)
              ? '`delos up` makes it again'
              : `make it, or name another in \`${key}\` of delos.yaml`,
          },
        ],
  );
  const unused = made.filter((name) => !names.includes(name) && !named.some((use) => use.name === name));
  const all = [
    ...missing,
    ...unused.map((name) => ({ message: `the StorageClass ${name} is not there`, todo: '`delos up` makes it again' })),
  ];
  const isDefault = ({ metadata }: StorageClasses[number]): boolean =>
    metadata.annotations[DEFAULT_CLASS_ANNOTATION] === 'true';
  if (cluster.storageClass !== undefined || classes.some(isDefault)) return all;
  return [
    ...all,
    {
      message: `no StorageClass is marked as default: new volumes of the platform cannot be made (${there})`,
      todo: 'name one in `cluster.storageClass` of delos.yaml',
    },
  ];
}

function claimComplaints(
  { storage }: DelosConfig,
  classes: StorageClasses,
  claim: Claim | undefined,
): StorageStatus['complaints'] {
  if (claim === undefined) return [{ message: 'the claim of the file storage is not there', todo: '`delos up`' }];
  const { phase } = claim.status;
  if (phase === 'Bound') return [];
  if (phase === 'Lost') {
    return [
      {
        message: 'the claim of the file storage has lost its volume',
        todo: `\`delos kubectl -n ${PLATFORM_NAMESPACE} delete pvc ${FILE_STORAGE_CLAIM}\`, then \`delos up\`: files of a directory, of NFS and of CSI stay where they are`,
      },
    ];
  }
  const own = classes.find(({ metadata }) => metadata.name === storage.claim?.storageClass);
  // Its volume comes with its first Pod.
  if (own?.volumeBindingMode === 'WaitForFirstConsumer') return [];
  return [
    {
      message: 'the claim of the file storage has no volume yet',
      todo: `\`delos kubectl -n ${PLATFORM_NAMESPACE} describe pvc ${FILE_STORAGE_CLAIM}\` says why`,
    },
  ];
}
