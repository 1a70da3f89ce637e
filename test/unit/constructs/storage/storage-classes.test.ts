import { classesOf, objectOf, parseConfig } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { expectRefused } from '../../../support/config-problems.ts';
import { platformOf } from '../synthesized.ts';

/* Their engines are not here: what a provisioner makes of a class is its makers' word. The real API server takes each (switches). */

const storageClass = (yaml: string, name: string) =>
  objectOf(platformOf(`storageClasses: {${yaml}}`), 'StorageClass', name);

test.each([
  ['localPath: [{name: a}]', 'rancher.io/local-path', undefined],
  [
    'openebsLvm: [{name: a, volumeGroup: vg0, thin: true}]',
    'local.csi.openebs.io',
    { storage: 'lvm', volgroup: 'vg0', fsType: 'ext4', thinProvision: 'yes' },
  ],
  [
    'openebsZfs: [{name: a, pool: tank/x, compression: lz4}]',
    'zfs.csi.openebs.io',
    { poolname: 'tank/x', fstype: 'zfs', compression: 'lz4', thinprovision: 'no' },
  ],
  [
    'mayastor: [{name: a, replicas: 2}]',
    'io.openebs.csi-mayastor',
    { protocol: 'nvmf', repl: '2', thin: 'false', fsType: 'ext4' },
  ],
  [
    'topolvm: [{name: a, deviceClass: ssd}]',
    'topolvm.io',
    { 'csi.storage.k8s.io/fstype': 'ext4', 'topolvm.io/device-class': 'ssd' },
  ],
  [
    'longhorn: [{name: a}]',
    'driver.longhorn.io',
    { numberOfReplicas: '3', staleReplicaTimeout: '2880', dataLocality: 'disabled', fsType: 'ext4' },
  ],
  [
    'awsEbs: [{name: a, iops: 4000}]',
    'ebs.csi.aws.com',
    { type: 'gp3', iops: '4000', encrypted: 'true', 'csi.storage.k8s.io/fstype': 'ext4' },
  ],
  [
    'gcpDisk: [{name: a, regional: true}]',
    'pd.csi.storage.gke.io',
    { type: 'pd-balanced', 'replication-type': 'regional-pd', 'csi.storage.k8s.io/fstype': 'ext4' },
  ],
  [
    'azureDisk: [{name: a}]',
    'disk.csi.azure.com',
    { skuName: 'StandardSSD_LRS', cachingMode: 'ReadOnly', 'csi.storage.k8s.io/fstype': 'ext4' },
  ],
])('%s is a class of %s', (yaml, provisioner, parameters) => {
  const { manifest } = storageClass(yaml, 'a');
  expect(manifest).toMatchObject({ provisioner, reclaimPolicy: 'Delete' });
  expect(manifest.parameters).toEqual(parameters);
});

test('a volume that only some nodes can have waits for its Pod; a class of folders cannot grow', () => {
  const local = storageClass('localPath: [{name: a}]', 'a').manifest;
  expect(local).toMatchObject({ volumeBindingMode: 'WaitForFirstConsumer', allowVolumeExpansion: false });
  const everywhere = storageClass('longhorn: [{name: a, keep: true}]', 'a').manifest;
  expect(everywhere).toMatchObject({
    volumeBindingMode: 'Immediate',
    allowVolumeExpansion: true,
    reclaimPolicy: 'Retain',
  });
});

test('it is there before the services whose volumes it makes', () => {
  const platform = platformOf('cluster: {storageClass: a}\nstorageClasses: {topolvm: [{name: a}]}');
  const made = objectOf(platform, 'StorageClass', 'a');
  expect(objectOf(platform, 'StatefulSet', 'postgres').dependsOn).toContain(made.id);
});

describe('a class that could not be made is refused at its place in the file', () => {
  test.each([
    ['a name twice, in two kinds', 'topolvm: [{name: a}], longhorn: [{name: ▸a}]', 'longhorn[0].name', /another class/],
    ['a name of the embedded cluster', 'localPath: [{name: ▸local-path}]', 'localPath[0].name', /of the embedded/],
    ['no volume group', 'openebsLvm: [▸{name: a}]', 'openebsLvm[0].volumeGroup', /./],
    ['a key of another kind', 'topolvm: [{name: a, ▸pool: b}]', 'topolvm[0].pool', /./],
    [
      'a device that is none',
      'topolvm: [{name: a, devices: [{node: n, path: ▸/etc/x}]}]',
      'topolvm[0].devices[0].path',
      /expected a path such as \/dev/,
    ],
  ])('%s', (_, section, field, words) => {
    expectRefused(`storageClasses: {${section}}`, `storageClasses.${field}`, words);
  });
});

test('devices are those of engines that get them whole', () => {
  const config = parseConfig(
    'storageClasses: {openebsZfs: [{name: z, pool: p, devices: [{node: n1, path: /dev/sdb}]}], awsEbs: [{name: e}]}',
    'delos.yaml',
  );
  expect(classesOf(config.storageClasses).map(({ name, devices, marks }) => [name, devices, marks])).toEqual([
    ['z', [{ node: 'n1', path: '/dev/sdb' }], ['zfs_member']],
    ['e', [], []],
  ]);
});
