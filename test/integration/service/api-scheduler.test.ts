import type { NodeReport } from '@delos/core';
import { afterEach, expect, test } from 'vitest';
import { decide, snapshot, snapshotFaults } from '../../../runtime/scheduling/src/index.ts';
import { podRemoved, recordObservation } from '../../../runtime/service/src/db/jobs-state.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import { schedulerService } from '../../../runtime/service/src/scheduler/index.ts';
import { type Runner, startService } from '../../../runtime/service/src/service-run.ts';
import type { TestApi } from '../../support/service/control-api.ts';
import { apiForEachTest, type EachTest } from '../../support/service/each-test.ts';
import { reportNode } from '../../support/service/node-row.ts';
import { observation, observeAll } from '../../support/service/observer.ts';

let postgres: EachTest['postgres'];
let database: EachTest['database'];
let api: TestApi;
let runners: Runner[] = [];
let unobserve: (() => void) | undefined;

apiForEachTest((made) => {
  ({ postgres, database, api } = made);
});
afterEach(async () => {
  unobserve?.();
  unobserve = undefined;
  for (const runner of runners) await runner.stop();
  runners = [];
});

async function startScheduler(): Promise<Runner> {
  const env = { ...postgres.env(database.name), DELOS_LISTEN_HOST: '127.0.0.1', DELOS_LOG_LEVEL: 'silent' };
  const runner = await startService(schedulerService, { env, internalPort: 0 });
  runners.push(runner);
  return runner;
}

const addNode = (facts?: Partial<NodeReport>): Promise<void> => reportNode(database, facts);

async function run(facts: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { json } = await api.request('alice', 'POST', '/jobs?from_preset', {
    preset_name: 'cpu-small',
    org_name: 'acme',
    project_name: 'one',
    image: 'ubuntu',
    ...facts,
  });
  return json.id;
}

const row = (id: string): Promise<JobRow> =>
  database.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();

async function until(id: string, is: (job: JobRow) => boolean): Promise<void> {
  await expect.poll(() => row(id), { timeout: 30_000, interval: 20 }).toSatisfy(is);
}

test('a job is admitted, runs, ends and is gone', async () => {
  await addNode();
  await startScheduler();
  unobserve = observeAll(database);
  const id = await run();
  await until(id, ({ phase }) => phase === 'running');
  await api.request('alice', 'DELETE', `/jobs/${id}`);
  await until(id, ({ phase }) => phase === 'gone');
  expect(await row(id)).toMatchObject({ status: 'cancelled', exit_code: 143, pool: 'default', logs_complete: true });
  const { json } = await api.request('alice', 'GET', `/jobs/${id}`);
  expect(json.statuses.map(({ status }: { status: string }) => status)).toEqual([
    'pending',
    'pending',
    'running',
    'cancelled',
  ]);
});

test('what came while no scheduler ran is admitted when one does', async () => {
  await addNode();
  const ids = [await run(), await run()];
  await startScheduler();
  for (const id of ids) await until(id, ({ phase }) => phase === 'admitted');
});

test('a job is told why it waits, and is admitted once a node joins', async () => {
  await startScheduler();
  const id = await run();
  await until(id, ({ reason }) => reason === 'NoCapacity');
  expect((await row(id)).status_description).toBe(
    "No node has joined the cluster. The cluster's agent has not connected yet.",
  );
  await addNode();
  await until(id, ({ phase }) => phase === 'admitted');
});

test('a quota of one running job is one running job, each waits for its seat', async () => {
  await addNode();
  await startScheduler();
  unobserve = observeAll(database);
  const facts = { project_name: 'tight', wait_for_jobs_quota: true };
  const [first, second] = [await run(facts), await run(facts)];
  await until(first, ({ phase }) => phase === 'running');
  await until(second, ({ reason }) => reason === 'QuotaExhausted');
  expect((await row(second)).status_description).toMatch(/^Project acme\/tight runs 1 job and its quota is 1\./);
  await api.request('alice', 'DELETE', `/jobs/${first}`);
  await until(second, ({ phase }) => phase === 'running');
});

test('a schedule timeout fails what did not start', async () => {
  await startScheduler();
  const id = await run({ schedule_timeout: 0.5 });
  await until(id, ({ status }) => status === 'failed');
  expect(await row(id)).toMatchObject({ phase: 'gone', reason: 'ScheduleTimeout' });
});

test('a life-span ends what runs, unless it is extended', async () => {
  await addNode();
  await startScheduler();
  unobserve = observeAll(database);
  const [short, extended] = [await run({ max_run_time_minutes: 1 }), await run({ max_run_time_minutes: 1 })];
  for (const id of [short, extended]) await until(id, ({ phase }) => phase === 'running');
  await api.request('alice', 'PUT', `/jobs/${extended}/max_run_time_minutes`, { additional_max_run_time_minutes: 60 });
  const started_at = new Date(Date.now() - 61_000);
  await database.db.updateTable('jobs').set({ started_at }).where('id', 'in', [short, extended]).execute();
  await until(short, ({ phase }) => phase === 'gone');
  expect(await row(short)).toMatchObject({ status: 'cancelled', reason: 'LifeSpanEnded', exit_code: 143 });
  expect((await row(extended)).status).toBe('running');
});

test('of two schedulers one decides; the other goes on when it ends', async () => {
  await addNode();
  const first = await startScheduler();
  const id = await run();
  await until(id, ({ phase }) => phase === 'admitted');
  await startScheduler();
  const ids = await Promise.all(Array.from({ length: 10 }, () => run()));
  for (const other of ids) await until(other, ({ phase }) => phase === 'admitted');
  await first.stop();
  runners = runners.filter((runner) => runner !== first);
  const last = await run();
  await until(last, ({ phase }) => phase === 'admitted');
  const { admissions } = await database.db
    .selectFrom('job_transitions')
    .select(({ fn }) => fn.countAll<number>().as('admissions'))
    .where('reason', '=', 'Scheduling')
    .executeTakeFirstOrThrow();
  expect(admissions).toBe(12);
});

test('a scheduler that loses its database connections goes on', async () => {
  await addNode();
  await startScheduler();
  await until(await run(), ({ phase }) => phase === 'admitted');
  await postgres.cutConnections(database.name);
  await expect.poll(async () => (await api.request('alice', 'GET', '/jobs')).status).toBe(200);
  await until(await run(), ({ phase }) => phase === 'admitted');
});

test('capacity tells how many more of each preset fit', async () => {
  await addNode({ cpu: 4.2 });
  await startScheduler();
  const id = await run({ preset_name: 'cpu-large' });
  await until(id, ({ phase }) => phase === 'admitted');
  const { json } = await api.request('alice', 'GET', '/jobs/capacity');
  expect(json).toEqual({ 'cpu-small': 22, 'cpu-large': 1, gpu: 0 });
});

test('the leader shows its state as a snapshot that decides as it does', async () => {
  await addNode({ cpu: 1, memory: 8e9 });
  const { internalUrl } = await startScheduler();
  const ids = await Promise.all(Array.from({ length: 12 }, () => run()));
  await expect
    .poll(async () => (await Promise.all(ids.map(row))).map(({ reason }) => reason).sort(), { timeout: 30_000 })
    .toEqual([...Array.from({ length: 2 }, () => 'NoCapacity'), ...Array.from({ length: 10 }, () => 'Scheduling')]);
  const shown = snapshot.parse(await (await fetch(`${internalUrl}/snapshot`)).json());
  expect(shown.observed).toBe(true);
  expect(snapshotFaults(shown)).toEqual([]);
  expect(shown.jobs.filter(({ running }) => running === undefined)).toHaveLength(2);
  expect(decide(shown).decisions).toEqual([]);
  const [node] = shown.nodes;
  const larger = { ...shown, nodes: node === undefined ? [] : [{ ...node, milliCpu: 2_000 }] };
  expect(decide(larger).decisions).toHaveLength(2);
  const other = await startScheduler();
  expect((await fetch(`${other.internalUrl}/snapshot`)).status).toBe(404);
});

test('metrics tell of rounds', async () => {
  await addNode();
  const { internalUrl } = await startScheduler();
  await until(await run(), ({ phase }) => phase === 'admitted');
  const text = await (await fetch(`${internalUrl}/metrics`)).text();
  expect(text).toMatch(/delos_scheduler_admitted_total\{.*\} 1/);
  expect((await fetch(`${internalUrl}/health/ready`)).status).toBe(200);
});

test('a job whose Pod its node refuses waits for a while and is admitted again, with the true reason in its history', async () => {
  await addNode();
  await startScheduler();
  const id = await run();
  await until(id, ({ phase }) => phase === 'admitted');
  const description = 'node node-1 refused it: it has less nvidia.com/gpu free than was expected';
  const refused = { phase: 'failed', reason: 'NoCapacity', description, refused: true, podUid: 'uid-0' } as const;
  await database.tx((tx) => recordObservation(tx, id, observation(id, refused)));
  expect(await row(id)).toMatchObject({ phase: 'archived', status: 'pending', logs_complete: true });
  await database.tx((tx) => podRemoved(tx, id, { run: 0, podUid: 'uid-0' }));
  const { retry_at: retryAt, phase } = await row(id);
  expect([phase, retryAt]).toEqual(['queued', expect.any(Date)]);
  await until(id, (job) => job.phase === 'admitted');
  const again = await row(id);
  expect(again).toMatchObject({ run: 1, refusals: 1, retry_at: null });
  expect(again.admitted_at?.getTime()).toBeGreaterThanOrEqual(retryAt?.getTime() ?? Infinity);
  const { json } = await api.request('alice', 'GET', `/jobs/${id}`);
  expect(json.statuses).toContainEqual(
    expect.objectContaining({ reason: 'NoCapacity', description: `${description}; it is tried again in 5 s` }),
  );
});
