import type { ClassData, StorageClassSections } from '@delos/core';
import { k8s } from 'cdk8s-plus-28';
import { Construct } from 'constructs';
import { PART_OF } from '../base/names.ts';
import { awsEbs, azureDisk, gcpDisk } from './clouds.ts';
import type { Engine, Given, Kind } from './kind.ts';
import { localPath, longhorn, topolvm } from './nodes.ts';
import { mayastor, openebsLvm, openebsZfs } from './openebs.ts';

/** All classes that delos.yaml asks for: one line a kind. */
export const classesOf = (sections: StorageClassSections): readonly ClassData[] => [
  ...ofKind('localPath', sections.localPath, localPath),
  ...ofKind('openebsLvm', sections.openebsLvm, openebsLvm),
  ...ofKind('openebsZfs', sections.openebsZfs, openebsZfs),
  ...ofKind('mayastor', sections.mayastor, mayastor),
  ...ofKind('topolvm', sections.topolvm, topolvm),
  ...ofKind('longhorn', sections.longhorn, longhorn),
  ...ofKind('awsEbs', sections.awsEbs, awsEbs),
  ...ofKind('gcpDisk', sections.gcpDisk, gcpDisk),
  ...ofKind('azureDisk', sections.azureDisk, azureDisk),
];

function ofKind<K extends Kind>(kind: K, list: readonly Given<K>[], engine: Engine<K>): readonly ClassData[] {
  const { provisioner, parameters, expands, waitsForPod, csi = true, install, marks = [] } = engine;
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
