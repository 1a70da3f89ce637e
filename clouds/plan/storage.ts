import type { DelosConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';

const CLOUDS = ['awsEbs', 'gcpDisk', 'azureDisk'] as const;
export type CloudClass = (typeof CLOUDS)[number];

/** Names of the StorageClasses of delos.yaml that the provider's own disks are behind. */
export const classesFor = ({ storageClasses }: DelosConfig, own: CloudClass): readonly string[] =>
  storageClasses[own].map(({ name }) => name);

/**
 * The classes of delos.yaml are such as the provider has.
 * @param hasDefault whether a new cluster has a StorageClass that is the default
 * @throws DelosError ERR_CONFIG_VALUE
 */
export function checkStorage(platform: DelosConfig, own: CloudClass, hasDefault: boolean): void {
  const { storageClasses, cluster, disks } = platform;
  for (const other of CLOUDS.filter((each) => each !== own)) {
    if (storageClasses[other].length === 0) continue;
    throw new DelosError('ERR_CONFIG_VALUE', `storageClasses.${other}: its disks are those of another provider`, {
      where: { field: `storageClasses.${other}` },
      hint: `say ${own} here`,
    });
  }
  const field = cluster.storageClass === undefined ? 'cluster.storageClass' : 'disks.storageClass';
  if (hasDefault || (cluster.storageClass !== undefined && disks.storageClass !== undefined)) return;
  throw new DelosError('ERR_CONFIG_VALUE', `${field} is not set, and a new cluster here has no default StorageClass`, {
    where: { field },
    hint: `set it in delos.yaml to a class of storageClasses.${own}`,
  });
}
