import { expect, test } from 'vitest';
import { nextState } from '../../../../runtime/service/src/db/job-machine.ts';
import {
  ADMITTED,
  AGAIN,
  BOUND,
  KILL,
  PREEMPT,
  PREEMPTED,
  QUEUED,
  type Row,
  RUNNING,
  SECOND,
  STOPPING,
  seen,
  T1,
} from '../../../support/service/job-states.ts';

const T2 = new Date('2026-01-01T00:02:00Z');

const PUT_OUT = { reason: 'Evicted', description: 'its node is being drained', putOut: true } as const;
const DRAINED = { ...RUNNING, preemptible: false, comesBack: true };

/** Ways of a preempted job; events come at T2. */
const PREEMPTION: readonly Row[] = [
  {
    rule: 'a running job is preempted: it is suspended at once',
    from: RUNNING,
    event: PREEMPT,
    to: { phase: 'stopping', status: 'suspended', reason: 'Preempted', description: 'for job-2', finishedAt: T2 },
  },
  {
    rule: 'one whose container has not started is pending as before',
    from: BOUND,
    event: PREEMPT,
    to: { phase: 'stopping', status: 'pending', reason: 'Preempted', description: 'for job-2', finishedAt: T2 },
  },
  { rule: 'who cannot be preempted is not', from: { ...RUNNING, preemptible: false }, event: PREEMPT, to: undefined },
  {
    rule: 'put out by its node, a job that comes back is queued again as a preempted one',
    from: DRAINED,
    event: seen({ phase: 'failed', exitCode: 143, ...PUT_OUT }),
    to: {
      phase: 'ended',
      status: 'suspended',
      reason: 'Evicted',
      description: 'its node is being drained',
      finishedAt: T2,
    },
  },
  {
    rule: 'put out before its container was seen to run, too',
    from: { ...BOUND, comesBack: true },
    event: seen({ phase: 'failed', ...PUT_OUT }),
    to: {
      phase: 'ended',
      status: 'pending',
      reason: 'Evicted',
      description: 'its node is being drained',
      finishedAt: T2,
    },
  },
  {
    rule: 'lost with its node, too',
    from: DRAINED,
    event: seen({ phase: 'absent', reason: 'NodeLost', description: 'gone' }),
    to: { phase: 'ended', status: 'suspended', reason: 'NodeLost', description: 'gone', finishedAt: T2 },
  },
  {
    rule: 'one that does not come back has failed',
    from: { ...DRAINED, comesBack: false },
    event: seen({ phase: 'failed', exitCode: 143, ...PUT_OUT }),
    to: {
      phase: 'ended',
      status: 'failed',
      reason: 'Evicted',
      description: 'its node is being drained',
      exitCode: 143,
      finishedAt: T2,
    },
  },
  {
    rule: 'a failure of its own is an end, though it comes back from others',
    from: DRAINED,
    event: seen({ phase: 'failed', exitCode: 1, reason: 'Error', ofItself: true }),
    to: { phase: 'ended', status: 'failed', reason: 'Error', exitCode: 1, finishedAt: T2 },
  },
  { rule: 'another run is not meant', from: RUNNING, event: { ...PREEMPT, run: 1 }, to: undefined },
  { rule: 'who waits has nothing to give', from: QUEUED, event: PREEMPT, to: undefined },
  { rule: 'a killed job is not preempted', from: STOPPING, event: PREEMPT, to: undefined },
  { rule: 'no run is preempted twice', from: PREEMPTED, event: PREEMPT, to: undefined },
  {
    rule: 'its container ended because it was told to: that is no end of the job',
    from: PREEMPTED,
    event: seen({ phase: 'succeeded', exitCode: 0 }),
    to: { phase: 'ended' },
  },
  {
    rule: 'its container had ended by itself before: so has the job',
    from: PREEMPTED,
    event: seen({ phase: 'succeeded', exitCode: 0, ofItself: true, finishedAt: '2026-01-01T00:00:30Z' }),
    to: {
      phase: 'ended',
      status: 'succeeded',
      reason: null,
      description: null,
      exitCode: 0,
      finishedAt: new Date('2026-01-01T00:00:30Z'),
    },
  },
  {
    rule: 'its Pod is gone, by whatever hand',
    from: PREEMPTED,
    event: seen({ phase: 'absent' }),
    to: { phase: 'ended' },
  },
  {
    rule: 'it had no Pod yet',
    from: { ...ADMITTED, phase: 'stopping', reason: 'Preempted', finishedAt: T1 },
    event: seen({ phase: 'absent', podUid: '', nodeName: null }),
    to: { phase: 'archived', logsComplete: true },
  },
  {
    rule: 'its log is sealed as any other',
    from: { ...PREEMPTED, phase: 'ended' },
    event: { type: 'seal', complete: true },
    to: { phase: 'archived', logsComplete: true },
  },
  {
    rule: 'when its Pod is removed it waits for its next run, and nothing is left of the one before',
    from: { ...PREEMPTED, phase: 'archived' },
    event: { type: 'removed', run: 0, podUid: 'uid-1' },
    to: AGAIN,
  },
  {
    rule: 'a kill on its way out is the end',
    from: { ...PREEMPTED, phase: 'ended' },
    event: KILL,
    to: {
      status: 'cancelled',
      reason: 'Killed',
      description: 'killed by alice',
      ranSeconds: 60,
      startedAt: T2,
      finishedAt: T2,
    },
  },
  {
    rule: 'a kill while it waits again is the end',
    from: AGAIN,
    event: KILL,
    to: { phase: 'gone', status: 'cancelled', reason: 'Killed', description: 'killed by alice', finishedAt: T2 },
  },
  {
    rule: 'its next run is admitted as the first was',
    from: AGAIN,
    event: { type: 'admit', pool: 'default', node: 'n', description: 'd' },
    to: {
      phase: 'admitted',
      status: 'pending',
      pool: 'default',
      plannedNode: 'n',
      reason: 'Scheduling',
      description: 'd',
      admittedAt: T2,
    },
  },
  {
    rule: 'its next container counts as a restart once it runs',
    from: { ...SECOND, podUid: 'uid-2', node: 'node-1' },
    event: seen({ run: 1, podUid: 'uid-2', phase: 'running', startedAt: T2.toISOString() }),
    to: { phase: 'running', status: 'running', reason: null, description: null, restarts: 1, startedAt: T2 },
  },
  {
    rule: 'what is heard of the run before is old news',
    from: SECOND,
    event: seen({ run: 0, phase: 'failed', exitCode: 143 }),
    to: undefined,
  },
  {
    rule: 'what is heard of no Pod in the run before, too',
    from: SECOND,
    event: seen({ run: 0, podUid: '', phase: 'failed', exitCode: 1 }),
    to: undefined,
  },
  {
    rule: 'the Pod of the run before was removed: that is known',
    from: { ...SECOND, phase: 'archived', status: 'failed', finishedAt: T2 },
    event: { type: 'removed', run: 0, podUid: '' },
    to: undefined,
  },
  {
    rule: 'a log of which an earlier run lacks bytes is not complete',
    from: { ...SECOND, phase: 'ended', status: 'failed', finishedAt: T2 },
    event: { type: 'seal', complete: true },
    to: { phase: 'archived', logsComplete: false },
  },
];

test.each(PREEMPTION)('preemption: $rule', ({ from, event, to }) => {
  const next = nextState(from, event, T2);
  expect(next).toEqual(to === undefined ? undefined : { ...from, ...to });
  // Told once more, for whoever asked was killed before it heard: nothing else comes of it.
  if (next !== undefined && event.type !== 'observe') expect(nextState(next, event, T2)).toBeUndefined();
});
