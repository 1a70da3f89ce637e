import { expect, test } from 'vitest';
import { jobJson } from '../../../../runtime/service/src/api/resources/jobs/json.ts';
import { RenderedJobs } from '../../../../runtime/service/src/api/resources/jobs/rendered.ts';
import type { ShownJob } from '../../../../runtime/service/src/api/resources/jobs/shown.ts';

/* Texts of jobs that lists keep. */

const NAMES = { cluster: 'default', publicUrl: 'https://ai.example.com' };

const job = (id: string, given: Partial<ShownJob> = {}): ShownJob & { version: string } => ({
  version: '7',
  id,
  cluster: 'default',
  org: 'acme',
  project: 'one',
  owner: 'alice',
  name: null,
  preset: 'cpu-small',
  request: { image: 'ubuntu:24.04' },
  description: null,
  tags: [],
  priority: 0,
  phase: 'gone',
  status: 'succeeded',
  reason: null,
  status_description: null,
  exit_code: 0,
  restarts: 0,
  preemptible: false,
  ran_seconds: 0,
  stand_in: null,
  credits_per_hour: '36',
  schedule_timeout: null,
  max_run_time_minutes: null,
  created_at: new Date(1_000),
  first_started_at: new Date(2_000),
  started_at: new Date(2_000),
  finished_at: new Date(12_000),
  logs_removed: false,
  spec: {
    namespace: 'n',
    image: 'ubuntu:24.04',
    security: 'baseline',
    restartPolicy: 'never',
    resources: { cpu: 1, memory: 1, extended: {}, shm: false },
  } as ShownJob['spec'],
  ...given,
});

test('a text is that of its job, and is kept for this state of it alone', () => {
  const jobs = new RenderedJobs(NAMES);
  const row = job('job-1', { description: 'a "quoted" \\u0000 text, \u00fc and \u{1f600}' });
  expect(jobs.find({ id: 'job-1', version: '7' })).toBeUndefined();
  const text = jobs.render(row, []);
  expect(JSON.parse(text.toString())).toEqual(jobJson(row, [], NAMES));
  expect(jobs.find({ id: 'job-1', version: '7' })).toEqual(text);
  expect(jobs.find({ id: 'job-1', version: '8' })).toBeUndefined();
  expect(jobs.bytes).toBe(0);
});

test('run time and credits of a job that runs are those of now, whatever its texts hold', () => {
  const jobs = new RenderedJobs(NAMES);
  const started = new Date(Date.now() - 100_000);
  const row = job('job-1', {
    status: 'running',
    phase: 'running',
    started_at: started,
    finished_at: null,
    tags: ['\\u0000', '"\\u0000"'],
  });
  jobs.render(row, []);
  const read = () => JSON.parse(jobs.find({ id: 'job-1', version: '7' })?.toString() ?? 'null');
  const first = read();
  expect(first.tags).toEqual(row.tags);
  expect(first.history.run_time_seconds).toBeGreaterThanOrEqual(100);
  // 36 credits an hour are one in a hundred seconds.
  expect(first.total_price_credits).toBe((first.history.run_time_seconds / 100).toFixed(4));
  started.setTime(started.getTime() - 100_000);
  expect(read().history.run_time_seconds).toBeGreaterThanOrEqual(200);
});

test('what is kept is bounded: those that nobody has asked for longest go first, and long texts are not kept', () => {
  const size = new RenderedJobs(NAMES).render(job('job-1'), []).length;
  const jobs = new RenderedJobs(NAMES, size * 3);
  for (const id of ['job-1', 'job-2', 'job-3']) jobs.render(job(id), []);
  jobs.find({ id: 'job-1', version: '7' });
  jobs.render(job('job-4'), []);
  const kept = (id: string): boolean => jobs.find({ id, version: '7' }) !== undefined;
  expect(['job-1', 'job-2', 'job-3', 'job-4'].map(kept)).toEqual([true, false, true, true]);
  expect(jobs.bytes).toBe(size * 3);
  expect(jobs.render(job('job-5', { description: 'x'.repeat(20_000) }), []).length).toBeGreaterThan(20_000);
  expect(['job-1', 'job-5'].map(kept)).toEqual([true, false]);
});
