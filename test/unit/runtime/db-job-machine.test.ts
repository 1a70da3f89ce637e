import type { PodObservation } from '@delos/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type JobEvent, type JobState, nextState } from '../../../runtime/src/db/job-machine.ts';
import type { JobPhase } from '../../../runtime/src/db/schema.ts';
import { observation } from '../../support/observer.ts';

const T0 = new Date('2026-01-01T00:00:00Z');
const T1 = new Date('2026-01-01T00:01:00Z');
const PHASES: readonly JobPhase[] = ['queued', 'admitted', 'running', 'stopping', 'ended', 'archived', 'gone'];

const QUEUED: JobState = {
  phase: 'queued',
  status: 'pending',
  reason: 'Creating',
  description: null,
  exitCode: null,
  restarts: 0,
  pool: null,
  plannedNode: null,
  podUid: null,
  podIp: null,
  node: null,
  standIn: null,
  logsComplete: false,
  createdAt: T0,
  admittedAt: null,
  startedAt: null,
  finishedAt: null,
};
const ADMITTED: JobState = { ...QUEUED, phase: 'admitted', pool: 'default', admittedAt: T0, reason: 'Scheduling' };
const BOUND: JobState = { ...ADMITTED, podUid: 'uid-1', node: 'node-1' };
const RUNNING: JobState = { ...BOUND, phase: 'running', status: 'running', reason: null, startedAt: T0 };
const STOPPING: JobState = {
  ...RUNNING,
  phase: 'stopping',
  status: 'cancelled',
  reason: 'Killed',
  description: 'killed by alice',
  finishedAt: T0,
};
const ENDED: JobState = { ...STOPPING, phase: 'ended', exitCode: 143 };
const ARCHIVED: JobState = { ...ENDED, phase: 'archived', logsComplete: true };
const GONE: JobState = { ...ARCHIVED, phase: 'gone' };

const seen = (facts: Partial<PodObservation>): JobEvent => ({
  type: 'observe',
  observation: observation('job-1', { podUid: 'uid-1', ...facts }),
});
const KILL: JobEvent = { type: 'stop', status: 'cancelled', reason: 'Killed', description: 'killed by alice' };

interface Row {
  readonly rule: string;
  readonly from: JobState;
  readonly event: JobEvent;
  /** What is different afterwards; undefined: nothing happens. */
  readonly to: Partial<JobState> | undefined;
}

const TABLE: readonly Row[] = [
  {
    rule: 'a queued job is admitted to a pool',
    from: QUEUED,
    event: { type: 'admit', pool: 'default', node: 'n', description: 'd' },
    to: {
      phase: 'admitted',
      pool: 'default',
      plannedNode: 'n',
      reason: 'Scheduling',
      description: 'd',
      admittedAt: T1,
    },
  },
  {
    rule: 'a job is admitted once',
    from: ADMITTED,
    event: { type: 'admit', pool: 'other', node: 'n', description: 'd' },
    to: undefined,
  },
  {
    rule: 'a kill of a queued job ends it at once',
    from: QUEUED,
    event: KILL,
    to: {
      phase: 'gone',
      status: 'cancelled',
      reason: 'Killed',
      description: 'killed by alice',
      finishedAt: T1,
      logsComplete: true,
    },
  },
  {
    rule: 'a kill of an admitted job is told at once; its Pod may be on its way',
    from: ADMITTED,
    event: KILL,
    to: {
      phase: 'stopping',
      status: 'cancelled',
      reason: 'Killed',
      description: 'killed by alice',
      finishedAt: T1,
    },
  },
  {
    rule: 'a kill of a running job is told at once',
    from: RUNNING,
    event: KILL,
    to: { phase: 'stopping', status: 'cancelled', reason: 'Killed', description: 'killed by alice', finishedAt: T1 },
  },
  { rule: 'a second kill changes nothing', from: STOPPING, event: KILL, to: undefined },
  { rule: 'a kill of an ended job changes nothing', from: ENDED, event: KILL, to: undefined },
  {
    rule: 'a pending Pod tells why it waits',
    from: ADMITTED,
    event: seen({ phase: 'pending', reason: 'Pulling', description: 'pulling ubuntu' }),
    to: { podUid: 'uid-1', node: 'node-1', reason: 'Pulling', description: 'pulling ubuntu' },
  },
  {
    rule: 'the same observation again changes nothing',
    from: { ...BOUND, reason: 'Pulling', description: 'pulling ubuntu' },
    event: seen({ phase: 'pending', reason: 'Pulling', description: 'pulling ubuntu' }),
    to: undefined,
  },
  {
    rule: 'a Pod seen pending after it ran is old news',
    from: RUNNING,
    event: seen({ phase: 'pending', reason: 'Pulling' }),
    to: undefined,
  },
  {
    rule: "a Pod of another uid is not this job's",
    from: RUNNING,
    event: seen({ podUid: 'uid-2', phase: 'failed', exitCode: 1 }),
    to: undefined,
  },
  {
    rule: 'a running Pod makes a running job',
    from: BOUND,
    event: seen({ phase: 'running', startedAt: T1.toISOString() }),
    to: { phase: 'running', status: 'running', reason: null, startedAt: T1 },
  },
  {
    rule: 'a start before the admission (whole seconds of another clock) is moved to it',
    from: BOUND,
    event: seen({ phase: 'running', startedAt: '2025-12-31T23:59:59Z' }),
    to: { phase: 'running', status: 'running', reason: null, startedAt: T0 },
  },
  {
    rule: 'between restarts a job is still running',
    from: RUNNING,
    event: seen({ phase: 'running', reason: 'Restarting', restarts: 1, exitCode: 3 }),
    to: { reason: 'Restarting', restarts: 1, exitCode: 3 },
  },
  {
    rule: 'exit 0 is success',
    from: RUNNING,
    event: seen({ phase: 'succeeded', exitCode: 0, finishedAt: T1.toISOString() }),
    to: { phase: 'ended', status: 'succeeded', exitCode: 0, finishedAt: T1 },
  },
  {
    rule: 'an exit code that was never seen running counts as a run',
    from: BOUND,
    event: seen({ phase: 'failed', exitCode: 7, startedAt: null }),
    to: { phase: 'ended', status: 'failed', reason: 'Error', exitCode: 7, startedAt: T1, finishedAt: T1 },
  },
  {
    rule: 'out of memory is said so',
    from: RUNNING,
    event: seen({ phase: 'failed', reason: 'OOMKilled', description: 'more than 128 MiB', exitCode: 137 }),
    to: {
      phase: 'ended',
      status: 'failed',
      reason: 'OOMKilled',
      description: 'more than 128 MiB',
      exitCode: 137,
      finishedAt: T1,
    },
  },
  {
    rule: 'an image that cannot be pulled fails without a start',
    from: BOUND,
    event: seen({ phase: 'failed', reason: 'ErrImagePull', description: 'no such image' }),
    to: { phase: 'ended', status: 'failed', reason: 'ErrImagePull', description: 'no such image', finishedAt: T1 },
  },
  {
    rule: 'a Pod that never had a node has no log to wait for',
    from: { ...ADMITTED, podUid: 'uid-1' },
    event: seen({ phase: 'failed', reason: 'CannotStart', description: 'refused', nodeName: null }),
    to: {
      phase: 'archived',
      status: 'failed',
      reason: 'CannotStart',
      description: 'refused',
      finishedAt: T1,
      logsComplete: true,
    },
  },
  {
    rule: 'no Pod before one was seen is no loss',
    from: ADMITTED,
    event: seen({ phase: 'absent', podUid: '', nodeName: null }),
    to: undefined,
  },
  {
    rule: 'a Pod that vanished is a lost node',
    from: RUNNING,
    event: seen({ phase: 'absent' }),
    to: {
      phase: 'ended',
      status: 'failed',
      reason: 'NodeLost',
      description: 'its Pod is gone: it was deleted from outside, or its node was lost',
      finishedAt: T1,
    },
  },
  {
    rule: 'the end of a killed job adds its exit code and nothing else',
    from: STOPPING,
    event: seen({ phase: 'failed', reason: 'Error', exitCode: 143 }),
    to: { phase: 'ended', exitCode: 143 },
  },
  {
    rule: 'a kill that came before any Pod ends when there is none',
    from: { ...STOPPING, podUid: null, node: null, startedAt: null },
    event: seen({ phase: 'absent', podUid: '', nodeName: null }),
    to: { phase: 'archived', logsComplete: true },
  },
  { rule: 'an end is written once', from: ENDED, event: seen({ phase: 'succeeded', exitCode: 0 }), to: undefined },
  {
    rule: 'a sealed log lets the Pod go',
    from: ENDED,
    event: { type: 'seal', complete: true },
    to: { phase: 'archived', logsComplete: true },
  },
  {
    rule: 'a log is not sealed before the end',
    from: RUNNING,
    event: { type: 'seal', complete: true },
    to: undefined,
  },
  {
    rule: 'a removed Pod is the last of a job',
    from: ARCHIVED,
    event: { type: 'removed', podUid: 'uid-1' },
    to: { phase: 'gone' },
  },
  {
    rule: 'the removal of another Pod is none of ours',
    from: ARCHIVED,
    event: { type: 'removed', podUid: 'uid-2' },
    to: undefined,
  },
  {
    rule: 'a removal before the archive changes nothing',
    from: ENDED,
    event: { type: 'removed', podUid: '' },
    to: undefined,
  },
];

test.each(TABLE)('$rule', ({ from, event, to }) => {
  expect(nextState(from, event, T1)).toEqual(to === undefined ? undefined : { ...from, ...to });
});

const anyEvent: fc.Arbitrary<JobEvent> = fc.oneof(
  fc.constant<JobEvent>({ type: 'admit', pool: 'default', node: 'n', description: 'd' }),
  fc.constant(KILL),
  fc.boolean().map((complete): JobEvent => ({ type: 'seal', complete })),
  fc.constantFrom('', 'uid-1', 'uid-2').map((podUid): JobEvent => ({ type: 'removed', podUid })),
  fc
    .record({
      phase: fc.constantFrom('pending', 'running', 'succeeded', 'failed', 'absent'),
      podUid: fc.constantFrom('', 'uid-1', 'uid-2'),
      nodeName: fc.constantFrom(null, 'node-1'),
      restarts: fc.nat(3),
      exitCode: fc.constantFrom(null, 0, 1),
      startedAt: fc.constantFrom(null, '2025-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
      finishedAt: fc.constantFrom(null, '2025-01-01T00:00:00Z', '2027-01-01T00:00:00Z'),
    })
    .map(seen),
);

test('whatever comes in whatever order: phases only go forward, an end is final, times are in order', () => {
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), (events) => {
      let state = QUEUED;
      for (const event of events) {
        const next = nextState(state, event, T1);
        if (next === undefined) continue;
        expect(PHASES.indexOf(next.phase)).toBeGreaterThanOrEqual(PHASES.indexOf(state.phase));
        if (state.finishedAt !== null) {
          expect([next.status, next.reason, next.finishedAt]).toEqual([state.status, state.reason, state.finishedAt]);
        }
        expect(next.restarts).toBeGreaterThanOrEqual(state.restarts);
        const times = [next.createdAt, next.admittedAt, next.startedAt, next.finishedAt].flatMap((at) => at ?? []);
        expect(times.map(Number)).toEqual(times.map(Number).toSorted((a, b) => a - b));
        const terminal = ['succeeded', 'failed', 'cancelled'].includes(next.status);
        expect(terminal).toBe(next.finishedAt !== null);
        expect(terminal).toBe(['stopping', 'ended', 'archived', 'gone'].includes(next.phase));
        // An event that was applied is applied once.
        if (event.type !== 'observe') expect(nextState(next, event, T1)).toBeUndefined();
        state = next;
      }
    }),
  );
});

test('a job that is gone stays as it is', () => {
  fc.assert(
    fc.property(anyEvent, (event) => {
      expect(nextState(GONE, event, T1)).toBeUndefined();
    }),
  );
});
