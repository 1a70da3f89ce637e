import type { ClassData, StorageClassSections } from '@delos/core';

/** A kind of StorageClass: its key under `storageClasses`. */
export type Kind = keyof StorageClassSections;

/** An entry of that kind in delos.yaml. */
export type Given<K extends Kind> = StorageClassSections[K][number];

/** What follows from an entry. What every kind has is taken from the entry as it is. */
export interface Engine<K extends Kind> extends Pick<ClassData, 'provisioner' | 'expands' | 'waitsForPod' | 'install'> {
  /** What the provisioner is told; undefined is left out. */
  readonly parameters: (given: Given<K>) => Readonly<Record<string, string | undefined>>;
  /** @default true */
  readonly csi?: boolean;
  /** Its own marks on devices. @default none */
  readonly marks?: readonly string[];
}

/** Where drivers of CSI read the file system. */
export const FS_TYPE = 'csi.storage.k8s.io/fstype';
