import { FILE_STORAGE_USER, type FileVolumeSource, jobDesire } from '@delos/core';
import { expect, test } from 'vitest';
import { filesName, filesVolume } from '../../../../runtime/service/src/agent/files/project-files.ts';
import { podManifest } from '../../../../runtime/service/src/agent/jobs/pod-manifest.ts';

const NAMESPACE = 'job-acme-one-01234567';
const ONE = { org: 'acme', project: 'one' };
const TWO = { org: 'acme', project: 'two' };

// biome-ignore lint/suspicious/noExplicitAny: looks into a manifest
const podOf = (files?: readonly object[]): any =>
  podManifest(
    jobDesire.parse({
      kind: 'job',
      id: 'job-00000000-0000-4000-8000-000000000001',
      revision: 1,
      spec: {
        action: 'run',
        pod: {
          namespace: NAMESPACE,
          ...ONE,
          owner: 'ann',
          presetName: 'small',
          image: 'ubuntu',
          resources: { cpu: 0.1, memory: 1024, shm: false },
          pool: 'default',
          ...(files === undefined ? {} : { files }),
        },
      },
    }),
    'c',
    undefined,
  );

test('a job mounts parts of projects’ volumes, each volume once, and has the group of the files', () => {
  const { spec } = podOf([
    { ...ONE, source: 'a/b', path: '/a', readOnly: false },
    { ...ONE, source: '', path: '/all', readOnly: true },
    { ...TWO, source: 'c', path: '/c', readOnly: true },
  ]);
  const [one, two] = [filesName(NAMESPACE, ONE), filesName(NAMESPACE, TWO)];
  expect(spec.volumes).toEqual([one, two].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })));
  expect(spec.containers[0].volumeMounts).toEqual([
    { name: one, mountPath: '/a', readOnly: false, subPath: 'a/b' },
    { name: one, mountPath: '/all', readOnly: true },
    { name: two, mountPath: '/c', readOnly: true, subPath: 'c' },
  ]);
  expect(spec.securityContext.supplementalGroups).toEqual([FILE_STORAGE_USER]);
});

test('a job without files has no such group', () => {
  expect(podOf().spec.securityContext).not.toHaveProperty('supplementalGroups');
});

test('the volume begins at the project’s folder, so that no link on the way leads above it', () => {
  const [directory] = filesVolume(NAMESPACE, ONE, { kind: 'directory', path: '/srv/files' });
  expect(directory).toMatchObject({ spec: { hostPath: { path: '/srv/files/acme/one', type: 'Directory' } } });
  const source: FileVolumeSource = { kind: 'nfs', server: 'nfs', path: '/export', mountOptions: ['hard'] };
  const [volume, claim] = filesVolume(NAMESPACE, ONE, source);
  expect(volume).toMatchObject({
    spec: {
      nfs: { server: 'nfs', path: '/export/acme/one' },
      mountOptions: ['hard'],
      persistentVolumeReclaimPolicy: 'Retain',
    },
  });
  expect(claim).toMatchObject({ metadata: { namespace: NAMESPACE }, spec: { volumeName: filesName(NAMESPACE, ONE) } });
});

test('each namespace has a volume of its own of each project', () => {
  const names = [filesName(NAMESPACE, ONE), filesName(NAMESPACE, TWO), filesName('job-acme-two-01234567', ONE)];
  expect(new Set(names).size).toBe(3);
});
