import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CarriedList,
  createBundle,
  type KeyList,
  keyListBytes,
  type newKeyList,
  signBundle,
  signKeyList,
} from '@delos/airgap';
import { afterAll, describe, expect, test } from 'vitest';
import { latestList } from '../../../airgap/src/trust/chain.ts';
import {
  bundleIn,
  days,
  Folders,
  faultsOf,
  listOf,
  NOW,
  type Signer,
  signer,
  someContent,
} from '../../support/airgap/bundles.ts';

const folders = new Folders();
afterAll(() => folders.end());

const carried = (list: KeyList, by: readonly Signer[]): CarriedList => ({
  version: list.version,
  content: keyListBytes(list),
  signature: signKeyList(
    list,
    by.map(({ privateKey }) => privateKey),
  ),
});
const next = (after: KeyList, add: readonly Signer[], more: Partial<Parameters<typeof newKeyList>[0]> = {}): KeyList =>
  listOf(add, { after, from: days(-1), until: days(700), ...more });

describe('keys are replaced by a list that is signed', () => {
  const [old, young, other] = [signer(), signer(), signer()];
  const first = listOf([old]);
  const second = next(first, [young], { revoke: [old.id] });

  test('by the keys of the list before and its own: a bundle of the new key is believed by who pinned the old list', async () => {
    const folder = join(await folders.make(), 'b');
    await bundleIn(folder, { signers: [young], lists: [carried(second, [old, young])] });
    expect(await faultsOf(folder, first)).toEqual([]);
    // And by who has pinned the new one already.
    expect(await faultsOf(folder, second)).toEqual([]);
  });

  test('a bundle of the old key is not believed any more where that list is known', async () => {
    const folder = join(await folders.make(), 'b');
    await bundleIn(folder, { signers: [old] });
    expect(await faultsOf(folder, first)).toEqual([]);
    expect(await faultsOf(folder, second)).toMatchObject([
      { kind: 'signers-too-few', message: expect.stringContaining('is revoked') },
    ]);
  });

  test.each([
    ['the old key alone', [old]],
    ['the new key alone', [young]],
    ['another key as well', [old, young, other]],
    ['another key', [other]],
  ])('not by %s', (_, by) => {
    expect(latestList(first, [carried(second, by)], NOW)).toHaveProperty('fault');
  });

  test('over several versions, of which none is missing, and however old those between are', () => {
    const third = next(second, [other], { until: days(900) });
    const chain = [carried(second, [old, young]), carried(third, [young, other])];
    expect(latestList(first, chain, NOW)).toEqual({ list: third });
    expect(latestList(first, chain, days(800))).toEqual({ list: third });
    expect(latestList(first, chain.slice(1), NOW)).toMatchObject({
      fault: { message: 'list 2 of keys is missing between 1 and 3' },
    });
    expect(latestList(second, chain, NOW)).toEqual({ list: third });
    expect(latestList(third, chain, days(901))).toMatchObject({ fault: { kind: 'key-list-expired' } });
  });

  test('a list of the pinned version is the pinned one', () => {
    const forged = listOf([old, other]);
    expect(latestList(first, [carried(forged, [old, other])], NOW)).toMatchObject({
      fault: { message: 'keys/1.json is not the list 1 that is pinned here' },
    });
  });
});

describe('a threshold of two', () => {
  const [a, b, c] = [signer(), signer(), signer()];
  const list = listOf([a, b, c], { threshold: 2 });

  test('takes any two, and the second may sign later', async () => {
    const folder = join(await folders.make(), 'b');
    await bundleIn(folder, { signers: [a] });
    expect(await faultsOf(folder, list)).toMatchObject([{ kind: 'signers-too-few', expected: '2', found: '1' }]);
    expect(await signBundle(folder, a.privateKey)).toEqual({ signatures: 1 });
    expect(await faultsOf(folder, list)).toHaveLength(1);
    expect(await signBundle(folder, c.privateKey)).toEqual({ signatures: 2 });
    expect(await faultsOf(folder, list)).toEqual([]);
  });

  test('is not reached by a key that counts and one that is of no list', async () => {
    const folder = join(await folders.make(), 'b');
    await bundleIn(folder, { signers: [a, signer()] });
    expect(await faultsOf(folder, list)).toMatchObject([{ kind: 'signature-wrong' }]);
  });

  test('must be one that its keys reach', () => {
    expect(() => listOf([a, b], { threshold: 3 })).toThrow('fewer keys are listed than must sign');
    expect(() => listOf([a, b], { after: list, revoke: [b.id, c.id], threshold: 2 })).toThrow('fewer keys');
  });
});

describe('the clock is an input', () => {
  test('one that is 40 days behind is told from a bundle of tomorrow; one that is ahead ends keys', async () => {
    const by = signer();
    const folder = join(await folders.make(), 'b');
    await bundleIn(folder, { signers: [by] });
    const list = listOf([by], { until: days(30) });
    expect(await faultsOf(folder, list, days(-40))).toMatchObject([
      {
        kind: 'clock',
        expected: NOW.toISOString(),
        found: days(-40).toISOString(),
        todo: expect.stringContaining('--at'),
      },
    ]);
    expect(await faultsOf(folder, list, days(-0.9))).toEqual([]);
    expect(await faultsOf(folder, list, days(40))).toMatchObject([
      { kind: 'key-list-expired', todo: expect.stringContaining('clock') },
    ]);
  });
});

test('what is signed for a list of keys is no signature of an index', async () => {
  const by = signer();
  const list = listOf([by]);
  const folder = join(await folders.make(), 'b');
  await bundleIn(folder, { signers: [by] });
  await writeFile(join(folder, 'bundle.json.dsse'), signKeyList(list, [by.privateKey]));
  expect(await faultsOf(folder, list)).toMatchObject([{ kind: 'signature-form' }]);
});

test('a bundle is never written without a key that signs', async () => {
  const folder = join(await folders.make(), 'b');
  await mkdir(folder);
  const input = {
    name: 'delos',
    release: '0.2.0',
    createdAt: NOW.toISOString(),
    made: 'of-local-builds',
    content: someContent(),
    packBytes: 2 ** 14,
    keys: [],
    lists: [],
  } as const;
  await expect(createBundle(folder, input)).rejects.toThrow('signed');
});
