import { diskDesire, jobDesire } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { claimManifest } from '../../../../runtime/service/src/agent/disks/claim-manifest.ts';
import { claimEvents, claimShape, volumeShape } from '../../../../runtime/service/src/agent/disks/claim-shape.ts';
import { newestEvent, observeClaim } from '../../../../runtime/service/src/agent/disks/observe-claim.ts';
import { volumeNodes } from '../../../../runtime/service/src/agent/disks/volume-nodes.ts';
import { podManifest } from '../../../../runtime/service/src/agent/jobs/pod-manifest.ts';
import { nodeShape } from '../../../../runtime/service/src/agent/jobs/pod-shape.ts';
import { POD_SPEC } from '../../../support/service/pod-spec.ts';

const DISK = 'disk-00000000-0000-4000-8000-000000000001';
const OTHER = 'disk-00000000-0000-4000-8000-000000000002';

const desire = diskDesire.parse({
  kind: 'disk',
  id: DISK,
  revision: 0,
  spec: { action: 'keep', namespace: 'job-o-p-00000000', org: 'o', project: 'p', storage: 1_500_000, claimUid: null },
});

describe('a disk’s claim', () => {
  test.each([
    [undefined, {}],
    ['fast', { storageClassName: 'fast' }],
  ])('of the class %s asks for whole bytes, for one node at a time', (name, rest) => {
    expect(claimManifest(desire, 'c', name)).toMatchObject({
      metadata: {
        name: DISK,
        namespace: 'job-o-p-00000000',
        labels: { 'delos.dev/disk': DISK, 'delos.dev/cluster': 'c' },
      },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1500000' } }, ...rest },
    });
    const { spec } = claimManifest(desire, 'c', name) as { readonly spec: object };
    expect('storageClassName' in spec).toBe(name !== undefined);
  });

  const claim = (phase: string, metadata: object = {}) =>
    claimShape.parse({ metadata: { name: DISK, uid: 'u', ...metadata }, status: { phase } });
  const event = (reason: string, message = '') => claimEvents.parse({ items: [{ reason, message }] }).items[0];

  test.each([
    ['Bound', undefined, 'ready', null],
    ['Pending', undefined, 'pending', 'its volume is being made'],
    ['Pending', event('WaitForFirstConsumer'), 'ready', 'its volume is made where the first job with it runs'],
    ['Pending', event('ExternalProvisioning'), 'pending', 'its volume is being made'],
    [
      'Pending',
      event('ProvisioningFailed', 'failed to provision volume with StorageClass "x": no space is left'),
      'broken',
      'its volume could not be made: no space is left',
    ],
    [
      'Pending',
      event('FailedBinding', 'no storage class is set'),
      'broken',
      'the cluster has no StorageClass for it (no storage class is set); the administrator sets disks.storageClass in delos.yaml',
    ],
    ['Lost', undefined, 'broken', 'its volume is gone: it was deleted from outside'],
  ])('that is %s after the event %j is told as %s', (phase, newest, told, description) => {
    const seen = observeClaim(claim(phase), { event: newest, nodes: ['a'], usedBytes: 7 });
    expect(seen).toEqual({ claimUid: 'u', phase: told, description, nodes: ['a'], usedBytes: 7 });
  });

  test('that is deleted from outside is told as broken though it is bound', () => {
    const seen = observeClaim(claim('Bound', { deletionTimestamp: '2026-01-01T00:00:00Z' }), {
      event: undefined,
      nodes: null,
      usedBytes: null,
    });
    expect(seen.phase).toBe('broken');
  });

  test('is told by the newest of its events', () => {
    const { items } = claimEvents.parse({
      items: [
        { reason: 'old', lastTimestamp: '2026-01-01T00:00:01Z' },
        { reason: 'new', lastTimestamp: '2026-01-01T00:00:09Z' },
        { reason: 'older', eventTime: '2026-01-01T00:00:00.5Z' },
      ],
    });
    expect(newestEvent(items)?.reason).toBe('new');
  });
});

describe('the nodes of a volume', () => {
  const nodes = ['a', 'b', 'c'].map((name, index) =>
    nodeShape.parse({
      metadata: { name, uid: name, labels: { zone: index === 2 ? 'east' : 'west', rank: `${index}` } },
    }),
  );
  const of = (...terms: readonly object[]) =>
    volumeShape.parse({ spec: { nodeAffinity: { required: { nodeSelectorTerms: terms } } } });
  const expressions = (...matchExpressions: readonly object[]) => ({ matchExpressions });

  test('are not known where it says nothing', () => {
    expect(volumeNodes(volumeShape.parse({ spec: {} }), nodes)).toBe(null);
  });

  test.each([
    ['In', [expressions({ key: 'zone', operator: 'In', values: ['west'] })], ['a', 'b']],
    ['NotIn', [expressions({ key: 'zone', operator: 'NotIn', values: ['west'] })], ['c']],
    ['Exists', [expressions({ key: 'none', operator: 'Exists' })], []],
    ['DoesNotExist', [expressions({ key: 'none', operator: 'DoesNotExist' })], ['a', 'b', 'c']],
    ['Gt', [expressions({ key: 'rank', operator: 'Gt', values: ['0'] })], ['b', 'c']],
    ['Lt', [expressions({ key: 'rank', operator: 'Lt', values: ['1'] })], ['a']],
    [
      'two conditions together',
      [expressions({ key: 'zone', operator: 'In', values: ['west'] }, { key: 'rank', operator: 'Gt', values: ['0'] })],
      ['b'],
    ],
    [
      'two terms as alternatives',
      [
        expressions({ key: 'rank', operator: 'In', values: ['0'] }),
        expressions({ key: 'zone', operator: 'In', values: ['east'] }),
      ],
      ['a', 'c'],
    ],
    ['a field', [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['b'] }] }], ['b']],
    ['a term that asks for nothing', [{}], []],
  ])('follow from %s', (_what, terms, expected) => {
    expect(volumeNodes(of(...terms), nodes)).toEqual(expected);
  });
});

describe('a Pod with disks', () => {
  const pod = (disks: readonly object[], more: object = {}) =>
    podManifest(
      jobDesire.parse({
        kind: 'job',
        id: 'job-00000000-0000-4000-8000-000000000001',
        revision: 0,
        spec: { action: 'run', pod: { ...POD_SPEC, ...more, disks } },
      }),
      'c',
      undefined,
      // biome-ignore lint/suspicious/noExplicitAny: looks into a manifest
    ) as any;
  const [rw, ro, other] = [
    { disk: DISK, path: '/rw', readOnly: false },
    { disk: DISK, path: '/ro', readOnly: true },
    { disk: OTHER, path: '/other', readOnly: false },
  ];

  test('has one volume a disk, and a mount for each place', () => {
    const { spec } = pod([rw, ro, other]);
    expect(spec.volumes).toEqual(
      [DISK, OTHER].map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    );
    expect(spec.containers[0].volumeMounts).toEqual([
      { name: DISK, mountPath: '/rw', readOnly: false },
      { name: DISK, mountPath: '/ro', readOnly: true },
      { name: OTHER, mountPath: '/other', readOnly: false },
    ]);
  });

  test.each(['baseline', 'restricted', 'privileged'])(
    'of the profile %s may write to them whatever user it has',
    (security) => {
      const { securityContext } = pod([rw], { security }).spec;
      expect(securityContext).toMatchObject({ fsGroup: expect.any(Number), fsGroupChangePolicy: 'OnRootMismatch' });
    },
  );

  test('keeps its shared memory beside them', () => {
    const { spec } = pod([rw], { resources: { cpu: 1, memory: 2 ** 20, shm: true } });
    expect(spec.volumes.map(({ name }: { readonly name: string }) => name)).toEqual(['shm', DISK]);
    expect(spec.containers[0].volumeMounts).toHaveLength(2);
  });
});
