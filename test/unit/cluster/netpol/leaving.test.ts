import { expect, test } from 'vitest';
import type { PodFacts } from '../../../../cluster/src/netpol/facts.ts';
import { LeavingPods } from '../../../../cluster/src/netpol/leaving.ts';
import { assignment, pod } from './pods.ts';

const sandbox = (uid: string) => assignment(uid, '10.0.0.2');
const uids = (pods: readonly PodFacts[]) => pods.map(({ uid }) => uid);

test('a Pod that the API shows does not leave', () => {
  expect(uids(new LeavingPods().update([pod('a')], [sandbox('a')], 0))).toEqual([]);
});

test('a Pod that the API no longer shows leaves until its sandbox is taken back', () => {
  const leaving = new LeavingPods();
  leaving.update([pod('a')], [sandbox('a')], 0);
  expect(uids(leaving.update([], [sandbox('a')], 1))).toEqual(['a']);
  expect(uids(leaving.update([], [sandbox('a')], 2))).toEqual(['a']);
  expect(uids(leaving.update([], [], 3))).toEqual([]);
  expect(uids(leaving.update([], [sandbox('a')], 4))).toEqual([]);
});

test('another Pod of its name takes nothing from it', () => {
  const leaving = new LeavingPods();
  leaving.update([pod('web', { uid: 'old' })], [sandbox('old')], 0);
  expect(uids(leaving.update([pod('web', { uid: 'new' })], [sandbox('old'), sandbox('new')], 1))).toEqual(['old']);
});

test('a Pod that has no sandbox here never leaves', () => {
  const leaving = new LeavingPods();
  leaving.update([pod('elsewhere')], [], 0);
  expect(uids(leaving.update([], [], 1))).toEqual([]);
});

test('a sandbox of which nobody tells the end opens nothing after ten minutes', () => {
  const leaving = new LeavingPods();
  leaving.update([pod('a')], [sandbox('a')], 0);
  expect(uids(leaving.update([], [sandbox('a')], 600_000))).toEqual(['a']);
  expect(uids(leaving.update([], [sandbox('a')], 600_001))).toEqual([]);
});
