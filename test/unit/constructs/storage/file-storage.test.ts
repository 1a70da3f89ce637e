import { fileVolume, objectOf, parseConfig, withFileStorage } from '@delos/constructs';
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

test('without a way there is nothing of it, but for a folder of the embedded cluster’s machine', () => {
  const kinds = platformOf('', 'existing').objects.map(({ manifest }) => manifest.kind);
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

describe('where no way is chosen', () => {
  const folderOf = (yaml: string) =>
    withFileStorage(parseConfig(yaml, 'delos.yaml'), '/srv/of-the-nodes').storage.directory?.path;

  test.each([
    ['', '/srv/of-the-nodes'],
    ['profile: medium', '/srv/of-the-nodes'],
    ['storage: {directory: {path: /srv/mine}}', '/srv/mine'],
    ['storage: {nfs: {server: nfs, path: /a}}', undefined],
    ['services: {files: {enabled: false}}', undefined],
  ])('%s has the folder %s', (yaml, folder) => {
    expect(folderOf(yaml)).toBe(folder);
  });

  test('in ha there is none: a folder of one machine goes with it', () => {
    const config = { ...parseConfig('', 'delos.yaml'), profile: 'ha' } as const;
    expect(withFileStorage(config, '/srv/of-the-nodes').storage.directory).toBeUndefined();
  });

  test('the service is there with it, and leads the gateway and the control API to it', () => {
    const platform = platformOf('');
    expect(JSON.stringify(objectOf(platform, 'Deployment', 'files', PLATFORM_NAMESPACE).manifest)).toContain(
      `"claimName":"${FILE_STORAGE_CLAIM}"`,
    );
    expect(JSON.stringify(objectOf(platform, 'ConfigMap', 'gateway', PLATFORM_NAMESPACE).manifest)).toContain(
      'path /api/v1/storage /api/v1/storage/*',
    );
    const api = JSON.stringify(objectOf(platform, 'Deployment', 'control-api', PLATFORM_NAMESPACE).manifest);
    expect(api).toContain('http://files.delos.svc.cluster.local:8080');
  });
});
