import { parseConfig } from '@delos/constructs';
import { describe, expect, test } from 'vitest';
import { type StorageClasses, storageOf } from '../../../cli/src/commands/observe/storage.ts';

const DEFAULT = { 'storageclass.kubernetes.io/is-default-class': 'true' };
const classOf = (name: string, annotations = {}, volumeBindingMode = 'Immediate'): StorageClasses[number] => ({
  metadata: { name, annotations },
  volumeBindingMode,
});
const complaints = (yaml: string, classes: StorageClasses, claim?: Parameters<typeof storageOf>[2]) =>
  storageOf(parseConfig(yaml, 'delos.yaml'), classes, claim).complaints.map(({ message, todo }) => [message, todo]);

describe('status names a StorageClass that is not there', () => {
  test('and says what cannot be made, what there is, and which key to change', () => {
    const yaml = 'cluster: {storageClass: fast}\ndisks: {storageClass: slow}\nstorage: {claim: {storageClass: many}}';
    expect(complaints(yaml, [classOf('slow'), classOf('local', DEFAULT)], BOUND)).toEqual([
      [
        'the StorageClass fast is not there: new volumes of the platform cannot be made (there are: slow, local)',
        'make it, or name another in `cluster.storageClass` of delos.yaml',
      ],
      [
        'the StorageClass many is not there: the file storage cannot be made (there are: slow, local)',
        'make it, or name another in `storage.claim.storageClass` of delos.yaml',
      ],
    ]);
  });

  test('and of one that Delos makes, that `up` makes it again', () => {
    const yaml = 'disks: {storageClass: a}\nstorageClasses: {topolvm: [{name: a}, {name: b}]}';
    expect(complaints(yaml, [classOf('local', DEFAULT)])).toEqual([
      [expect.stringContaining('the StorageClass a is not there: new disks'), '`delos up` makes it again'],
      ['the StorageClass b is not there', '`delos up` makes it again'],
    ]);
  });

  test('and that none is the default, where that is needed', () => {
    expect(complaints('', [classOf('a')])).toEqual([
      [
        expect.stringContaining('no StorageClass is marked as default'),
        expect.stringContaining('cluster.storageClass'),
      ],
    ]);
    expect(complaints('cluster: {storageClass: a}', [classOf('a')])).toEqual([]);
    expect(complaints('', [classOf('a', DEFAULT)])).toEqual([]);
  });
});

const BOUND = { spec: { volumeName: 'v' }, status: { phase: 'Bound' } };
const NFS = 'storage: {nfs: {server: a.example.com, path: /x}}';

test.each([
  ['bound', NFS, BOUND, []],
  ['waiting', NFS, { spec: {}, status: { phase: 'Pending' } }, [/has no volume yet/]],
  ['without its volume', NFS, { spec: { volumeName: 'v' }, status: { phase: 'Lost' } }, [/has lost its volume/]],
  ['gone', NFS, undefined, [/is not there/]],
  [
    'waiting for its first Pod',
    'storage: {claim: {storageClass: late}}',
    { spec: {}, status: { phase: 'Pending' } },
    [],
  ],
  ['not asked for', '', undefined, []],
])('a claim of the file storage that is %s', (_, yaml, claim, said) => {
  const classes = [classOf('late', {}, 'WaitForFirstConsumer'), classOf('d', DEFAULT)];
  const found = complaints(yaml, classes, claim).map(([message]) => message);
  expect(found).toEqual(said.map((words) => expect.stringMatching(words)));
});

test('what a person reads of it is the volume and whether it is bound', () => {
  const { files } = storageOf(parseConfig(NFS, 'delos.yaml'), [classOf('d', DEFAULT)], BOUND);
  expect(files).toEqual({ phase: 'Bound', volume: 'v' });
});
