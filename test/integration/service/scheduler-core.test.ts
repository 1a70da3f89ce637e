import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NodeReport, platformConfig } from '@delos/core';
import { sql } from 'kysely';
import { afterEach, describe, expect, test } from 'vitest';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import { recordObservation } from '../../../runtime/service/src/db/jobs-state.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { worldForEachTest } from '../../support/service/each-test.ts';
import { observation, observeAll } from '../../support/service/observer.ts';
import type { SchedulerWorld } from '../../support/service/scheduler-world.ts';

/* The scheduler as a process of its own over a real PostgreSQL; what stands in for the agent is in the test. */

const CORES = 4;
const SEATS = 2;
const config = (changes: { readonly seats?: number; readonly weight?: number } = {}) =>
  platformConfig.parse({
    users: [{ name: 'alice' }, { name: 'bob' }],
    presets: [
      { name: 'core', cpu: 1, memory: '64Mi' },
      { name: 'node', cpu: CORES, memory: '64Mi' },
    ],
    organizations: [
      {
        name: 'acme',
        projects: [
          { name: 'one', weight: changes.weight ?? 1, members: [{ user: 'alice' }, { user: 'bob' }] },
          { name: 'two', members: [{ user: 'alice' }, { user: 'bob' }] },
          { name: 'seats', quota: { runningJobs: changes.seats ?? SEATS }, members: [{ user: 'alice' }] },
        ],
      },
    ],
  });

let database: SchedulerWorld['database'];
let world: SchedulerWorld;
let unobserve: (() => void) | undefined;

worldForEachTest((made) => {
  world = made;
  ({ database } = world);
}, config());
afterEach(() => {
  unobserve?.();
  unobserve = undefined;
});

/** The most memory that the process has needed, in MiB. */
async function peakMiB(): Promise<number> {
  const status = await readFile(`/proc/${world.pid()}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

const startScheduler = (): void => world.start();
const killScheduler = (): Promise<void> => world.kill();
const addNode = (facts: Partial<NodeReport> = {}): Promise<void> => world.addNode({ cpu: CORES, ...facts });
const run = (project: string, facts?: Readonly<Record<string, unknown>>, user?: string): Promise<string> =>
  world.run(project, facts, user);
const rows = (): Promise<readonly JobRow[]> => world.rows();
const reaches: SchedulerWorld['reaches'] = (what, is) => world.reaches(what, is);

const succeed = (id: string): Promise<unknown> =>
  database.tx((tx) => recordObservation(tx, id, observation(id, { podUid: '', phase: 'succeeded', exitCode: 0 })));

const active = (all: readonly JobRow[], project?: string): readonly JobRow[] =>
  all.filter(
    (row) => ['admitted', 'running', 'stopping'].includes(row.phase) && row.project === (project ?? row.project),
  );

describe('the scheduler over its database', () => {
  test('two projects with as much weight have as much of a node, whoever came first', async () => {
    await addNode();
    for (let i = 0; i < 8; i += 1) await run('one');
    for (let i = 0; i < 8; i += 1) await run('two', {}, 'bob');
    unobserve = observeAll(database);
    startScheduler();
    for (let ends = 0; ends < 3; ends += 1) {
      const all = await reaches(
        'the node is full',
        (seen) => active(seen).every(({ phase }) => phase === 'running') && active(seen).length === CORES,
      );
      expect(active(all, 'one')).toHaveLength(2);
      expect(active(all, 'two')).toHaveLength(2);
      for (const { id } of active(all)) await succeed(id);
    }
  });

  test('a job that waits says what for, what would do and when it is expected; more room, and it goes on', async () => {
    await addNode();
    startScheduler();
    unobserve = observeAll(database);
    const first = await run('one', { max_run_time_minutes: 60 });
    await reaches('the first runs', (all) => active(all).length === 1);
    const whole = await run('one', { preset_name: 'node' });
    const [row] = await reaches('the other is told', (all) =>
      all.some(({ id, reason }) => id === whole && reason === 'NoCapacity'),
    ).then((all) => all.filter(({ id }) => id === whole));
    expect(row?.status_description).toMatch(
      /^No room for preset node on 1 node: 1 lacks CPU\. It would start now with preset core; otherwise by \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/,
    );
    const by = Date.parse((row?.status_description ?? '').replace(/^.* by (\S+) (\S+) UTC.*$/, '$1T$2Z'));
    const { started_at } = (await rows()).find(({ id }) => id === first) ?? {};
    expect(by - (started_at?.getTime() ?? 0)).toBeGreaterThanOrEqual(3_600_000);
    expect(by - (started_at?.getTime() ?? 0)).toBeLessThan(3_660_000);
    await addNode({ name: 'node-2' });
    await reaches('both run', (all) => active(all).length === 2);
  });

  test('a quota that is raised admits what it had stopped, and one that is lowered stops what comes', async () => {
    await addNode();
    startScheduler();
    unobserve = observeAll(database);
    for (let i = 0; i < 5; i += 1) await run('seats');
    const told = await reaches(
      'two run and three are told why not',
      (all) => active(all).length === SEATS && all.filter(({ reason }) => reason === 'QuotaExhausted').length === 3,
    );
    const texts = told.filter(({ phase }) => phase === 'queued').map((row) => row.status_description);
    expect(new Set(texts)).toEqual(
      new Set([
        'Project acme/seats runs 2 jobs and its quota is 2. When it starts is not known: 1 running job under it must end first, and it has no life-span.',
      ]),
    );
    await database.tx((tx) => applyConfig(tx, config({ seats: 4 }), 'default'));
    await reaches('four run', (all) => active(all).length === 4);
    await database.tx((tx) => applyConfig(tx, config({ seats: 3 }), 'default'));
    const [one, two] = active(await rows());
    for (const row of [one, two]) await succeed(row?.id ?? '');
    await reaches('three run, the last among them', (all) => active(all).length === 3);
  });

  test('a weight that is changed while it runs decides who gets what is freed', async () => {
    await addNode();
    for (let i = 0; i < 8; i += 1) await run('one');
    for (let i = 0; i < 8; i += 1) await run('two', {}, 'bob');
    unobserve = observeAll(database);
    startScheduler();
    const all = await reaches(
      'they share alike',
      (seen) => active(seen, 'one').length === 2 && active(seen).length === CORES,
    );
    await database.tx((tx) => applyConfig(tx, config({ weight: 3 }), 'default'));
    await reaches(
      'all run',
      (seen) => active(seen).length === CORES && active(seen).every(({ phase }) => phase === 'running'),
    );
    for (const { id } of active(all)) await succeed(id);
    await reaches('three to one', (seen) => active(seen, 'one').length === 3 && active(seen, 'two').length === 1);
  });

  test('jobs on a node that is away count against quotas until they are seen to end', async () => {
    await addNode();
    startScheduler();
    unobserve = observeAll(database);
    for (let i = 0; i < 3; i += 1) await run('seats');
    await reaches('two run', (all) => active(all).length === SEATS);
    await database.db.deleteFrom('nodes').execute();
    await addNode({ name: 'node-2' });
    const other = await run('one');
    const all = await reaches('another project’s job is admitted', (seen) => active(seen, 'one').length === 1);
    expect(active(all, 'seats')).toHaveLength(SEATS);
    expect(all.find(({ id }) => id === other)?.phase).toMatch(/admitted|running/);
  });

  test('five thousand waiting jobs are told why in little memory', async () => {
    await addNode({ cpu: 0 });
    const sample = await run('one');
    await sql`insert into jobs (id, cluster, org, project, owner, preset, request, spec, priority, reason, status_description, pools, credits_per_hour, created_at)
      select 'job-' || gen_random_uuid(), cluster, org, (array['one', 'two'])[1 + n % 2], (array['alice', 'bob'])[1 + n % 2], preset, request, spec,
        n % 3 - 1, reason, status_description, pools, credits_per_hour, created_at + n * interval '1 ms'
      from jobs, generate_series(1, 4999) n where id = ${sample}`.execute(database.db);
    startScheduler();
    const all = await reaches('all are told', (seen) => seen.every(({ reason }) => reason === 'NoCapacity'));
    expect(all).toHaveLength(5_000);
    expect(new Set(all.map((row) => row.status_description)).size).toBe(1);
    await addNode({ cpu: 100 });
    await reaches('a hundred are admitted', (seen) => active(seen).length === 100);
    expect(await peakMiB()).toBeLessThanOrEqual(256);
  });
});

describe('kill -9', () => {
  const seed = runSeed();
  const JOBS = 40;
  const KILLS = 8;

  test(`${JOBS} jobs while the scheduler is killed ${KILLS} times at instants of seed ${seed}: each is admitted once, within quota and room`, async () => {
    const random = seeded(seed);
    await addNode();
    unobserve = observeAll(database);
    startScheduler();
    let ending = true;
    const ends = (async () => {
      while (ending) {
        await sleep(20 + random() * 60);
        const running = (await rows()).filter(({ phase }) => phase === 'running');
        const chosen = running[Math.floor(random() * running.length)];
        if (chosen !== undefined) await succeed(chosen.id);
      }
    })();
    const kills = (async () => {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await sleep(100 + random() * 1_500);
        await killScheduler();
        startScheduler();
      }
    })();
    for (let i = 0; i < JOBS; i += 1) {
      await run(['one', 'two', 'seats'][i % 3] ?? 'one', {}, i % 3 === 2 ? 'alice' : 'bob');
      await sleep(random() * 200);
    }
    await kills;
    const all = await reaches('all have ended', (seen) => seen.every(({ status }) => status === 'succeeded'));
    ending = false;
    await ends;

    expect(all).toHaveLength(JOBS);
    const admissions = await database.db
      .selectFrom('job_transitions')
      .select(['job', ({ fn }) => fn.countAll<number>().as('times')])
      .where('reason', '=', 'Scheduling')
      .groupBy('job')
      .execute();
    expect(admissions.filter(({ times }) => times !== 1)).toEqual([]);
    expect(admissions).toHaveLength(JOBS);
    for (const { admitted_at } of all) {
      const at = admitted_at?.getTime() ?? 0;
      const there = all.filter(
        (other) => (other.admitted_at?.getTime() ?? 0) <= at && (other.finished_at?.getTime() ?? 0) > at,
      );
      expect(there.length).toBeLessThanOrEqual(CORES);
      expect(there.filter(({ project }) => project === 'seats').length).toBeLessThanOrEqual(SEATS);
    }
  });
});
