import { describe, expect, test } from 'vitest';
import type { PodFacts } from '../../../../cluster/src/netpol/facts.ts';
import { LeavingElsewhere, LeavingPods } from '../../../../cluster/src/netpol/leaving.ts';
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

describe('Pods of other nodes', () => {
  const elsewhere = () => new LeavingElsewhere((ip) => ip.startsWith('10.202.'));
  const a = pod('a', { ip: '10.204.0.2', graceSeconds: 10 });

  test('leave for the grace of their containers and half a minute', () => {
    const leaving = elsewhere();
    expect(uids(leaving.update([a], 0))).toEqual([]);
    expect(uids(leaving.update([], 1_000))).toEqual(['a']);
    expect(uids(leaving.update([], 41_000))).toEqual(['a']);
    expect(uids(leaving.update([], 41_001))).toEqual([]);
    expect(leaving.size).toBe(0);
  });

  test('leave for ten minutes at most', () => {
    const leaving = elsewhere();
    leaving.update([{ ...a, graceSeconds: 86_400 }], 0);
    leaving.update([], 0);
    expect(uids(leaving.update([], 600_000))).toEqual(['a']);
    expect(uids(leaving.update([], 600_001))).toEqual([]);
  });

  test.each([
    ['has ended', { finished: true }],
    ['has its node’s network', { hostNetwork: true }],
    ['never had an address', { ip: undefined }],
    ['is of this node', { ip: '10.202.0.2' }],
  ])('do not leave where one %s', (_, facts) => {
    const leaving = elsewhere();
    leaving.update([{ ...a, ...facts }], 0);
    expect(uids(leaving.update([], 1))).toEqual([]);
  });

  test('leave no longer once another has the address, were it for a moment', () => {
    const leaving = elsewhere();
    leaving.update([a], 0);
    leaving.update([], 1);
    expect(uids(leaving.update([pod('heir', { ip: a.ip })], 2))).toEqual([]);
    expect(uids(leaving.update([pod('heir', { ip: a.ip, finished: true })], 3))).toEqual([]);
  });

  test('leave beside one that ended long ago with the same address', () => {
    const leaving = elsewhere();
    const done = pod('done', { ip: a.ip, finished: true });
    leaving.update([a, done], 0);
    expect(uids(leaving.update([done], 1))).toEqual(['a']);
  });

  test('are back where the API shows them again', () => {
    const leaving = elsewhere();
    leaving.update([a], 0);
    leaving.update([], 1);
    expect(uids(leaving.update([a], 2))).toEqual([]);
  });
});
