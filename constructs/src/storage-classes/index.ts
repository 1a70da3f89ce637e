import type { ClassData, StorageClassSections } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { PART_OF } from '../base/names.ts';
import { awsEbs, azureDisk, gcpDisk } from './clouds.ts';
import type { Engine, Given, Kind } from './kind.ts';
import { localPath, longhorn, topolvm } from './nodes.ts';
import { mayastor, openebsLvm, openebsZfs } from './openebs.ts';

/** The kinds, each with its engine. A section of delos.yaml without one does not compile. */
const ENGINES: { readonly [K in Kind]: Engine<K> } = {
  localPath,
  openebsLvm,
  openebsZfs,
  mayastor,
  topolvm,
  longhorn,
  awsEbs,
  gcpDisk,
  azureDisk,
};
const KINDS = Object.keys(ENGINES) as readonly Kind[];

/** All classes that delos.yaml asks for, in the order of their kinds. */
export const classesOf = (sections: StorageClassSections): readonly ClassData[] =>
  KINDS.flatMap((kind) => classesOfKind(kind, sections));

function classesOfKind<K extends Kind>(kind: K, sections: StorageClassSections): readonly ClassData[] {
  const { provisioner, parameters, expands, waitsForPod, csi = true, install, marks = [] } = ENGINES[kind];
  const list: readonly Given<K>[] = sections[kind];
  return list.map((given) => ({
    name: given.name,
    kind,
    provisioner,
    parameters: Object.fromEntries(
      Object.entries(parameters(given)).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
    ),
    expands,
    waitsForPod,
    keep: given.keep,
    csi,
    install,
    devices: 'devices' in given ? given.devices : [],
    marks,
  }));
}

/** The StorageClasses that delos.yaml asks for. None is made the default: `cluster` and `disks` name theirs. */
export class StorageClasses extends Construct {
  constructor(scope: Construct, id: string, sections: StorageClassSections) {
    super(scope, id);
    for (const { name, provisioner, parameters, expands, waitsForPod, keep } of classesOf(sections)) {
      new k8s.KubeStorageClass(this, name, {
        metadata: { name, labels: { ...PART_OF } },
        provisioner,
        ...(Object.keys(parameters).length === 0 ? {} : { parameters }),
        allowVolumeExpansion: expands,
        reclaimPolicy: keep ? 'Retain' : 'Delete',
        volumeBindingMode: waitsForPod ? 'WaitForFirstConsumer' : 'Immediate',
      });
    }
  }
}
