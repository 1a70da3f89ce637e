import { expect, test } from 'vitest';
import {
  type Clocked,
  due,
  PULL_LIMIT_SECONDS,
  RETRIED_PULL_LIMIT_SECONDS,
  SEAL_LIMIT_SECONDS,
} from '../../../../runtime/service/src/scheduler/clock.ts';

const NOW = new Date('2026-01-01T12:00:00Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1000);

const JOB: Clocked = {
  phase: 'queued',
  reason: null,
  status_description: null,
  created_at: ago(10_000),
  admitted_at: null,
  started_at: null,
  first_started_at: null,
  ran_seconds: 0,
  phase_at: ago(10_000),
  schedule_timeout: null,
  max_run_time_minutes: null,
  pull_failing_since: null,
};
const RUNNING: Clocked = {
  ...JOB,
  phase: 'running',
  admitted_at: ago(9_000),
  started_at: ago(600),
  first_started_at: ago(600),
};
/** It was preempted after ten minutes, and waits. */
const SUSPENDED: Clocked = { ...JOB, first_started_at: ago(5_000), ran_seconds: 600 };
/** Admitted long ago: it waited for its node, or for a pull that took long. */
const PULLING: Clocked = {
  ...JOB,
  phase: 'admitted',
  reason: 'ErrImagePull',
  admitted_at: ago(9_000),
  pull_failing_since: ago(PULL_LIMIT_SECONDS),
};
const RETRIED: Clocked = { ...PULLING, reason: 'Pulling' };

test.each<[string, Clocked, string | undefined]>([
  ['without limits nothing is ever due', JOB, undefined],
  ['a schedule timeout counts from creation', { ...JOB, schedule_timeout: 10_000 }, 'ScheduleTimeout'],
  ['… not before', { ...JOB, schedule_timeout: 10_001 }, undefined],
  ['… also while its Pod is made', { ...PULLING, reason: null, schedule_timeout: 10_000 }, 'ScheduleTimeout'],
  ['… not once it runs', { ...RUNNING, schedule_timeout: 1 }, undefined],
  ['a life-span counts from the start', { ...RUNNING, max_run_time_minutes: 10 }, 'LifeSpanEnded'],
  ['… not before', { ...RUNNING, max_run_time_minutes: 11 }, undefined],
  ['… not while it waits', { ...JOB, max_run_time_minutes: 1 }, undefined],
  ['… not twice', { ...RUNNING, phase: 'stopping', max_run_time_minutes: 10 }, undefined],
  ['… over all runs together', { ...RUNNING, ran_seconds: 60, max_run_time_minutes: 11 }, 'LifeSpanEnded'],
  ['… not before', { ...RUNNING, ran_seconds: 59, max_run_time_minutes: 11 }, undefined],
  ['… and at once where earlier runs have used it up', { ...SUSPENDED, max_run_time_minutes: 10 }, 'LifeSpanEnded'],
  ['… waiting between runs does not count', { ...SUSPENDED, max_run_time_minutes: 11 }, undefined],
  ['a job that has run once has no schedule timeout', { ...SUSPENDED, schedule_timeout: 1 }, undefined],
  ['a pull that fails has a limit, which counts from its first failure', PULLING, 'ErrImagePull'],
  ['… not before', { ...PULLING, pull_failing_since: ago(PULL_LIMIT_SECONDS - 1) }, undefined],
  ['… and a pull that has not failed has none', { ...RETRIED, pull_failing_since: null }, undefined],
  ['a pull that is under way again is not broken off', RETRIED, undefined],
  [
    '… unless it lasts longer than any pull',
    { ...RETRIED, pull_failing_since: ago(RETRIED_PULL_LIMIT_SECONDS) },
    'ErrImagePull',
  ],
  ['a log that nobody seals is sealed', { ...RUNNING, phase: 'ended', phase_at: ago(SEAL_LIMIT_SECONDS) }, 'seal'],
  ['… not before', { ...RUNNING, phase: 'ended', phase_at: ago(SEAL_LIMIT_SECONDS - 1) }, undefined],
])('%s', (_rule, job, expected) => {
  const what = due(job, NOW);
  expect(what?.type === 'stop' ? what.reason : what?.type).toBe(expected);
});

test('a job whose image cannot be pulled ends with what kept it from being pulled', () => {
  const why = 'image "x": the node has no disk space left for it';
  expect(due({ ...PULLING, status_description: why }, NOW)).toMatchObject({
    description: `${why} (tried for ${PULL_LIMIT_SECONDS} s)`,
  });
});
