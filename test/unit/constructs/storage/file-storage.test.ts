import { fileVolume, objectOf, parseConfig } from '@delos/constructs';
import { FILE_STORAGE_CLAIM, FILE_STORAGE_VOLUME, PLATFORM_NAMESPACE } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { platformOf } from '../synthesized.ts';

const WAYS = {
  directory: ['directory: {path: /srv/delos}', { hostPath: { path: '/srv/delos', type: 'Directory' } }],
  nfs: [
    'nfs: {server: nfs.example.com, path: /exports/delos, mountOptions: [nfsvers=4.2, hard]}',
    { nfs: { server: 'nfs.example.com', path: '/exports/delos' }, mountOptions: ['nfsvers=4.2', 'hard'] },
  ],
  csi: [
    'csi: {driver: smb.csi.k8s.io, volumeHandle: one, attributes: {source: //a/b}, stageSecret: {name: smb, namespace: kube-system}}',
    {
      csi: {
        driver: 'smb.csi.k8s.io',
        volumeHandle: 'one',
        volumeAttributes: { source: '//a/b' },
        nodeStageSecretRef: { name: 'smb', namespace: 'kube-system' },
      },
    },
  ],
} as const;

describe.each(Object.entries(WAYS))('file storage by %s', (_, [section, source]) => {
  const platform = platformOf(`storage: {size: 2Ti, ${section}}`);
  const volume = objectOf(platform, 'PersistentVolume', FILE_STORAGE_VOLUME);
  const claim = objectOf(platform, 'PersistentVolumeClaim', FILE_STORAGE_CLAIM, PLATFORM_NAMESPACE);

  test('is one volume that many nodes may write to, which nothing deletes and no other claim gets', () => {
    expect(volume.manifest.spec).toEqual({
      accessModes: ['ReadWriteMany'],
      capacity: { storage: '2Ti' },
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      volumeMode: 'Filesystem',
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: PLATFORM_NAMESPACE,
        name: FILE_STORAGE_CLAIM,
      },
      ...source,
    });
    expect(claim.manifest.spec).toEqual({
      accessModes: ['ReadWriteMany'],
      storageClassName: '',
      volumeName: FILE_STORAGE_VOLUME,
      resources: { requests: { storage: '2Ti' } },
    });
  });

  test('is there before its claim, so that the claim goes first', () => {
    expect(claim.dependsOn).toContain(volume.id);
  });
});

test('a StorageClass makes the volume by itself, and only the claim is ours', () => {
  const platform = platformOf('storage: {claim: {storageClass: cephfs}}');
  expect(platform.objects.filter(({ manifest }) => manifest.kind === 'PersistentVolume')).toEqual([]);
  expect(objectOf(platform, 'PersistentVolumeClaim', FILE_STORAGE_CLAIM).manifest.spec).toEqual({
    accessModes: ['ReadWriteMany'],
    storageClassName: 'cephfs',
    resources: { requests: { storage: '100Gi' } },
  });
});

test('without a way there is nothing of it', () => {
  const kinds = platformOf('').objects.map(({ manifest }) => manifest.kind);
  expect(kinds).not.toContain('PersistentVolume');
  expect(kinds).not.toContain('PersistentVolumeClaim');
});

test('another namespace gets a volume of its own that leads to the same files', () => {
  const { storage } = parseConfig('storage: {nfs: {server: a.example.com, path: /x}}', 'delos.yaml');
  const first = fileVolume(storage, { volume: 'v1', namespace: 'a', claim: 'c' });
  const second = fileVolume(storage, { volume: 'v2', namespace: 'b', claim: 'c' });
  expect(second?.volume).toMatchObject({ nfs: { server: 'a.example.com', path: '/x' }, claimRef: { namespace: 'b' } });
  expect([first?.claim, second?.claim]).toMatchObject([{ volumeName: 'v1' }, { volumeName: 'v2' }]);
});
