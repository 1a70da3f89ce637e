import { type JobPhase, TERMINAL } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_REFUSALS, nextState, returnsToQueue } from '../../../../runtime/service/src/db/job-machine.ts';
import type { JobEvent, JobState } from '../../../../runtime/service/src/db/job-state.ts';
import { GONE, KILL, PHASES, PREEMPT, QUEUED, seen, T0, T1 } from '../../../support/service/job-states.ts';

const uidOf = (run: number): string => `uid-${run}`;

/** Of the run that a job is in, mostly; of the one before or after, too. */
const anyEvent: fc.Arbitrary<(state: JobState) => JobEvent> = fc
  .record({
    step: fc.constantFrom(-1, 0, 0, 0, 0, 0, 1),
    uid: fc.constantFrom('', 'own', 'own', 'own', 'foreign'),
    what: fc.oneof(
      { weight: 4, arbitrary: fc.constant<JobEvent>({ type: 'admit', pool: 'default', node: 'n', description: 'd' }) },
      { weight: 1, arbitrary: fc.constant(KILL) },
      { weight: 4, arbitrary: fc.constant(PREEMPT) },
      { weight: 4, arbitrary: fc.boolean().map((complete): JobEvent => ({ type: 'seal', complete })) },
      { weight: 6, arbitrary: fc.constant<JobEvent>({ type: 'removed', run: 0, podUid: '' }) },
      {
        weight: 12,
        arbitrary: fc
          .record({
            phase: fc.constantFrom('pending', 'running', 'running', 'running', 'succeeded', 'failed', 'absent'),
            nodeName: fc.constantFrom(null, 'node-1'),
            restarts: fc.nat(3),
            exitCode: fc.constantFrom(null, 0, 1),
            ofItself: fc.constantFrom(false, false, false, true),
            putOut: fc.constantFrom(false, false, true),
            refused: fc.constantFrom(false, false, true),
            startedAt: fc.constantFrom(null, '2025-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
            finishedAt: fc.constantFrom(null, '2025-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
          })
          .map(seen),
      },
    ),
  })
  .map(({ step, uid, what }) => (state: JobState): JobEvent => {
    const run = Math.max(0, state.run + step);
    const podUid = uid === 'own' ? uidOf(run) : uid;
    switch (what.type) {
      case 'observe':
        return { type: 'observe', observation: { ...what.observation, run, podUid } };
      case 'removed':
        return { type: 'removed', run, podUid };
      case 'preempt':
        return { ...what, run };
      default:
        return what;
    }
  });

/** Long enough for several runs. */
const LONG = { maxLength: 80, size: 'max' } as const;
const OUT: readonly JobPhase[] = ['stopping', 'ended', 'archived', 'gone'];

test('whatever comes in whatever order: a run only goes forward, one follows the other, an end is final, times are in order', () => {
  let reruns = 0;
  fc.assert(
    fc.property(fc.array(anyEvent, LONG), fc.boolean(), (events, comesBack) => {
      let state: JobState = { ...QUEUED, comesBack };
      for (const [index, made] of events.entries()) {
        const event = made(state);
        const now = new Date(T0.getTime() + index * 1000);
        const next = nextState(state, event, now);
        if (next === undefined) continue;
        const ended = TERMINAL.has(state.status);
        if (next.run !== state.run) {
          reruns += 1;
          // Only when the Pod before is known to be gone, and only of a job that has not ended.
          expect([event.type, state.phase, next.phase, ended]).toEqual(['removed', 'archived', 'queued', false]);
          expect(next.run).toBe(state.run + 1);
          expect([next.podUid, next.node, next.pool, next.startedAt]).toEqual([null, null, null, null]);
        } else expect(PHASES.indexOf(next.phase)).toBeGreaterThanOrEqual(PHASES.indexOf(state.phase));
        if (ended) {
          expect([next.status, next.reason, next.finishedAt]).toEqual([state.status, state.reason, state.finishedAt]);
        }
        expect(next.restarts).toBeGreaterThanOrEqual(state.restarts);
        expect(next.firstAttempt).toBeLessThanOrEqual(next.restarts + 1);
        expect(next.refusals).toBeLessThanOrEqual(MAX_REFUSALS);
        if (next.phase === 'running') expect(next.refusals).toBe(0);
        if (next.refusals > state.refusals) expect(TERMINAL.has(next.status)).toBe(next.refusals === MAX_REFUSALS);
        expect(next.ranSeconds).toBeGreaterThanOrEqual(state.ranSeconds);
        expect(next.ranSeconds).toBeLessThanOrEqual(index);
        const times = [next.createdAt, next.admittedAt, next.startedAt, next.finishedAt].flatMap((at) => at ?? []);
        expect(times.map(Number)).toEqual(times.map(Number).toSorted((a, b) => a - b));
        expect(OUT.includes(next.phase)).toBe(next.finishedAt !== null);
        if (TERMINAL.has(next.status)) expect(OUT).toContain(next.phase);
        expect(returnsToQueue(next)).toBe(OUT.includes(next.phase) && !TERMINAL.has(next.status));
        // An event that was applied is applied once.
        if (event.type !== 'observe') expect(nextState(next, event, now)).toBeUndefined();
        state = next;
      }
    }),
    { numRuns: 500 },
  );
  expect(reruns).toBeGreaterThan(20);
});

test('a job that is preempted or put out comes back or ends, wherever it was when all that remains is told', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, LONG), fc.boolean(), (events, comesBack) => {
      const first: JobState = { ...QUEUED, comesBack };
      const state = events.reduce((before, made) => nextState(before, made(before), T1) ?? before, first);
      if (!OUT.includes(state.phase) || state.phase === 'gone') return;
      const { run } = state;
      const rest: readonly JobEvent[] = [
        seen({ run, podUid: '', phase: 'absent' }),
        { type: 'seal', complete: true },
        { type: 'removed', run, podUid: '' },
      ];
      const last = rest.reduce((before, event) => nextState(before, event, T1) ?? before, state);
      expect(last.phase).toBe(TERMINAL.has(state.status) ? 'gone' : 'queued');
      expect(last.run).toBe(TERMINAL.has(state.status) ? run : run + 1);
    }),
  );
});

test('a job that is gone stays as it is', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      expect(nextState(GONE, event(GONE), T1)).toBeUndefined();
    }),
  );
});
