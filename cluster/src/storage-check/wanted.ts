import type { ClassData } from '@delos/core';

/** Objects of Kubernetes, as they are sent. */
export type Spec = object;

/** Volumes of one kind that a platform will ask for. */
export interface WantedVolume {
  /** Stable: the id of the check. */
  readonly id: string;
  /** What they are for, in words: `disks`. */
  readonly what: string;
  /** Key of delos.yaml that names what they are made by. */
  readonly key: string;
  /** What they are made by. */
  readonly source:
    | { readonly kind: 'class'; readonly name: string }
    | {
        readonly kind: 'volume';
        /** Where its files are, in words. */
        readonly where: string;
        /** Name of the StorageClass, where one makes it. */
        readonly className: string | undefined;
        make(at: { readonly volume: string; readonly namespace: string; readonly claim: string }): {
          readonly volume: Spec | undefined;
          readonly claim: Spec;
        };
      };
}

/** What a check of storage is told. */
export interface WantedStorage {
  readonly volumes: readonly WantedVolume[];
  /** Classes that Delos will make. One that is not there yet is made for the check, under another name. */
  readonly made: readonly ClassData[];
}

/** A fault that a person can do something about. */
export class StorageFault extends Error {
  /** What to do. */
  readonly fix: string;

  constructor(message: string, fix: string) {
    super(message);
    this.fix = fix;
  }
}
