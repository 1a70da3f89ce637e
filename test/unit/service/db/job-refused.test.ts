import { describe, expect, test } from 'vitest';
import { MAX_REFUSALS, nextState } from '../../../../runtime/service/src/db/job-machine.ts';
import type { JobState } from '../../../../runtime/service/src/db/job-state.ts';
import { BOUND, KILL, PREEMPTED, RUNNING, STOPPING, seen, T0, T1 } from '../../../support/service/job-states.ts';

/* A Pod that its node refuses never ran. Its job is no failure of its own. */

const WHY = 'node node-1 refused it: it has less nvidia.com/gpu free than was expected (OutOfnvidia.com/gpu)';
const REFUSED = { phase: 'failed', reason: 'NoCapacity', description: WHY, refused: true } as const;
const at = (seconds: number): Date => new Date(T0.getTime() + seconds * 1000);
const step = (state: JobState, event: Parameters<typeof nextState>[1], now = T1): JobState =>
  nextState(state, event, now) ?? state;
/** Refused, removed, admitted again. */
function round(state: JobState): JobState {
  const { run } = state;
  const podUid = `uid-${run}`;
  const refused = step({ ...state, podUid }, seen({ ...REFUSED, run, podUid }));
  const queued = step(refused, { type: 'removed', run, podUid });
  return step(queued, { type: 'admit', pool: 'default', node: 'node-1', description: '' });
}

describe('a job whose Pod is refused', () => {
  const refused = step({ ...BOUND, preemptible: false, comesBack: false }, seen(REFUSED));

  test('is no failure, whatever its preset: its Pod is removed, with no log to wait for', () => {
    expect(refused).toMatchObject({
      phase: 'archived',
      status: 'pending',
      reason: 'NoCapacity',
      description: `${WHY}; it is tried again in 5 s`,
      logsComplete: true,
      startedAt: null,
      exitCode: null,
    });
  });

  test('is queued again when that Pod has gone, and held back for a while', () => {
    const queued = step(refused, { type: 'removed', run: 0, podUid: 'uid-1' });
    expect(queued).toMatchObject({
      phase: 'queued',
      status: 'pending',
      reason: 'NoCapacity',
      run: 1,
      firstAttempt: 0,
      restarts: 0,
      retryAt: new Date(T1.getTime() + 5_000),
      pastPods: ['uid-1'],
    });
  });

  test('is held back longer each time, at most five minutes, and fails with the true reason after ten times', () => {
    let state = { ...BOUND, preemptible: false };
    const pauses: number[] = [];
    for (let refusals = 1; refusals < MAX_REFUSALS; refusals += 1) {
      const { run } = state;
      const next = step({ ...state, podUid: 'u' }, seen({ ...REFUSED, run, podUid: 'u' }));
      pauses.push(((next.retryAt?.getTime() ?? 0) - T1.getTime()) / 1000);
      state = { ...round(state), preemptible: false };
      expect(state).toMatchObject({ phase: 'admitted', refusals, retryAt: null });
    }
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    const { run } = state;
    expect(step({ ...state, podUid: 'u' }, seen({ ...REFUSED, run, podUid: 'u' }))).toMatchObject({
      phase: 'archived',
      status: 'failed',
      reason: 'NoCapacity',
      description: `${WHY}; that was the 10th time in a row, and it is not tried again`,
      retryAt: null,
    });
  });

  test('begins to count anew when a run of it has started', () => {
    const again = round(BOUND);
    expect(again.refusals).toBe(1);
    const { run } = again;
    expect(step(again, seen({ run, podUid: 'u', phase: 'running' })).refusals).toBe(0);
  });

  test('can be killed while it is on its way back', () => {
    expect(step(refused, KILL)).toMatchObject({ phase: 'archived', status: 'cancelled' });
  });
});

test('a job that has run is not queued again because something calls it refused', () => {
  expect(step({ ...RUNNING, comesBack: false }, seen(REFUSED))).toMatchObject({ phase: 'ended', status: 'failed' });
});

test.each([
  ['killed', STOPPING, 'cancelled'],
  ['preempted', { ...PREEMPTED, startedAt: null, status: 'pending' as const }, 'pending'],
])('a job that was %s meanwhile goes that way', (_, state, status) => {
  expect(step(state, seen(REFUSED))).toMatchObject({ phase: 'ended', status, refusals: 0 });
});

describe('the time since which an image cannot be pulled', () => {
  const failing = seen({ phase: 'pending', reason: 'ErrImagePull', description: 'a' });
  const first = step(BOUND, failing, at(100));

  test('is that of the first failure, not of admission', () => {
    expect(first.pullFailingSince).toEqual(at(100));
  });

  test('stays while it fails again and is tried again', () => {
    const retried = step(first, seen({ phase: 'pending', reason: 'Pulling' }), at(110));
    const again = step(retried, seen({ phase: 'pending', reason: 'ErrImagePull', description: 'b' }), at(120));
    expect([retried.pullFailingSince, again.pullFailingSince]).toEqual([at(100), at(100)]);
  });

  test.each([
    ['the image is there', seen({ phase: 'pending', reason: 'ContainerCreating' })],
    ['the container runs', seen({ phase: 'running' })],
  ])('is forgotten when %s', (_, event) => {
    expect(step(first, event, at(130)).pullFailingSince).toBeNull();
  });
});
