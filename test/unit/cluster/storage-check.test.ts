import { classesOf, parseConfig } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { wantedVolumes } from '../../../cli/src/instance/storage-checks.ts';
import { folderChecks } from '../../../cluster/src/preflight/cluster.ts';
import { type DeviceFacts, factsFrom, judgeDevice } from '../../../cluster/src/storage-check/device-facts.ts';
import { remedyOf } from '../../../cluster/src/storage-check/remedies.ts';
import { SIGNATURES, signatureOf, WINDOWS } from '../../../cluster/src/storage-check/signatures.ts';
import type { WantedVolume } from '../../../cluster/src/storage-check/wanted.ts';

const device = { node: 'n1', path: '/dev/sdb' };
const [data] = classesOf(
  parseConfig('storageClasses: {openebsLvm: [{name: fast, volumeGroup: vg0}]}', 'delos.yaml').storageClasses,
);
const FREE: DeviceFacts = {
  there: true,
  size: 2 ** 31,
  readOnly: false,
  partitions: [],
  holders: [],
  windows: new Map(),
};
const judged = (facts: DeviceFacts) => {
  if (data === undefined) throw new Error('no class');
  return judgeDevice(device, data, facts);
};

describe('a device is for an engine when it is there, free, and has nothing but the engine’s mark', () => {
  test.each<[string, DeviceFacts, boolean, RegExp, RegExp]>([
    ['free and empty', FREE, true, /attached, free, empty, 2.0 GiB$/, /^$/],
    ['not there', { there: false, why: 'it is not there' }, false, /it is not there/, /by-id/],
    ['a loop device without a file', { ...FREE, size: 0 }, false, /no size/, /attach a disk/],
    ['read-only', { ...FREE, readOnly: true }, false, /cannot be written/, /./],
    ['mounted', { ...FREE, holders: ['mounted at /srv'] }, false, /in use: mounted at \/srv/, /unmount it/],
    ['with partitions', { ...FREE, partitions: ['sdb1'] }, false, /partitions: sdb1/, /wipefs -a \/dev\/sdb/],
  ])('%s', (_, facts, ok, measured, fix) => {
    expect(judged(facts)).toMatchObject({
      ok,
      id: 'storage.device.n1.sdb',
      measured: expect.stringMatching(measured),
      fix: expect.stringMatching(fix),
    });
  });

  test.each(SIGNATURES)('the mark of $name at byte $offset is known', ({ name, offset, bytes }) => {
    const windows = new Map([[offset, `${bytes}00ff`]]);
    expect(signatureOf(windows)).toBe(name);
    expect(judged({ ...FREE, windows }).ok).toBe(name === 'LVM2_member');
    expect(WINDOWS.find((window) => window.offset === offset)?.length).toBeGreaterThanOrEqual(bytes.length / 2);
  });

  test('zeros and noise are no mark', () => {
    expect(signatureOf(new Map(WINDOWS.map(({ offset, length }) => [offset, '00'.repeat(length)])))).toBeUndefined();
    expect(signatureOf(new Map(WINDOWS.map(({ offset, length }) => [offset, 'a7'.repeat(length)])))).toBeUndefined();
  });
});

test('what a Pod tells of a device is read as it is; anything else is no device', () => {
  expect(
    factsFrom('size 4096\nro 0\npartition sdb1\nholder mounted at /a b\nwindow 0 58465342\nwindow 512 \n'),
  ).toEqual({
    there: true,
    size: 4096 * 512,
    readOnly: false,
    partitions: ['sdb1'],
    holders: ['mounted at /a b'],
    windows: new Map([
      [0, '58465342'],
      [512, ''],
    ]),
  });
  expect(factsFrom('absent it is no block device')).toEqual({ there: false, why: 'it is no block device' });
  expect(factsFrom('')).toMatchObject({ there: false });
  expect(factsFrom('sh: cannot fork')).toMatchObject({ why: expect.stringContaining('cannot fork') });
});

const FILES: WantedVolume = {
  id: 'storage.files',
  what: 'the file storage',
  key: 'storage.nfs',
  source: { kind: 'volume', where: 'a:/x', className: undefined, make: () => ({ volume: {}, claim: {} }) },
};
const CLASS: WantedVolume = { ...FILES, key: 'disks.storageClass', source: { kind: 'class', name: 'fast' } };

test.each<[string, WantedVolume, RegExp]>([
  ['FailedMount: mount.nfs: access denied by server while mounting a:/x', FILES, /exportfs/],
  ['FailedMount: mount.nfs: Connection timed out', FILES, /reaches the server that `storage.nfs` names/],
  [
    'bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program',
    FILES,
    /nfs-common/,
  ],
  ['it cannot be written to: Permission denied', FILES, /^on a:\/x: chown 60650:60650/],
  ['it cannot be written to: Permission denied', CLASS, /fsGroupPolicy/],
  ['ProvisioningFailed: not enough free space in vg', CLASS, /name another class in `disks.storageClass`/],
  ['ExternalProvisioning: Waiting for a volume to be created', CLASS, /provisioner runs/],
  ['something that nobody has heard of', CLASS, /`disks.storageClass`/],
])('“%s” is told with what to do', (words, wanted, fix) => {
  expect(remedyOf(words, wanted)).toMatch(fix);
});

test('volumes are checked once for each class, and the file storage by its own way', () => {
  const handle = { storageClass: 'local-path', diskClass: 'delos-disks' };
  const ids = (yaml: string) =>
    wantedVolumes(parseConfig(yaml, 'delos.yaml'), handle).map(({ id, what }) => [id, what]);
  expect(ids('')).toEqual([
    ['storage.class.local-path', 'the platform'],
    ['storage.class.delos-disks', 'disks'],
  ]);
  const yaml = `cluster: {storageClass: a}
disks: {storageClass: a}
storageClasses: {topolvm: [{name: a}, {name: b}], longhorn: [{name: many}]}
storage: {claim: {storageClass: many}}`;
  expect(ids(yaml)).toEqual([
    ['storage.class.a', 'the platform and disks'],
    ['storage.class.b', 'storageClasses.topolvm'],
    ['storage.files', 'the file storage'],
  ]);
});

test('a folder of one machine is none of a cluster of several', () => {
  const checked = (more: string, nodes: number) =>
    folderChecks(parseConfig(`storage: {directory: {path: /srv/a${more}}}`, 'delos.yaml'), nodes).map(({ ok }) => ok);
  expect([checked('', 1), checked('', 2), checked(', shared: true', 2)]).toEqual([[true], [false], [true]]);
  expect(folderChecks(parseConfig('', 'delos.yaml'), 2)).toEqual([]);
});
