import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type PodObservation, platformConfig } from '@delos/core';
import { describe, expect, test } from 'vitest';
import { podRemoved, recordObservation } from '../../../runtime/service/src/db/jobs-state.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { followLog } from '../../../runtime/service/src/logs/follow.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { worldForEachTest } from '../../support/service/each-test.ts';
import { observation } from '../../support/service/observer.ts';
import type { SchedulerWorld } from '../../support/service/scheduler-world.ts';

/* Preempted jobs, over a real PostgreSQL; the test tells what agent and collector would see. */

const CORES = 4;
const config = platformConfig.parse({
  users: [{ name: 'alice' }, { name: 'bob' }],
  presets: [
    { name: 'core', cpu: 1, memory: '64Mi' },
    { name: 'node', cpu: CORES, memory: '64Mi' },
    { name: 'spot', cpu: 1, memory: '64Mi', preemptible: true },
    { name: 'spot-node', cpu: CORES, memory: '64Mi', preemptible: true, creditsPerHour: '3600' },
  ],
  organizations: [
    {
      name: 'acme',
      projects: [
        { name: 'one', members: [{ user: 'alice' }] },
        { name: 'two', guarantee: { cpu: CORES }, members: [{ user: 'alice' }] },
      ],
    },
  ],
});

let world: SchedulerWorld;

worldForEachTest((made) => {
  world = made;
}, config);

const podOf = ({ id, run }: Pick<JobRow, 'id' | 'run'>): string => `uid-${id}-${run}`;
const row = async (id: string): Promise<JobRow> => {
  const found = (await world.rows()).find((each) => each.id === id);
  if (found === undefined) throw new Error(`no row ${id}`);
  return found;
};
const becomes = async (id: string, is: Partial<JobRow>): Promise<JobRow> => {
  const wanted = Object.entries(is);
  await world.reaches(`${id.slice(0, 12)} ${JSON.stringify(is)}`, (all) => {
    const entries = new Map(Object.entries(all.find((each) => each.id === id) ?? {}));
    return wanted.every(([key, value]) => entries.get(key) === value);
  });
  return row(id);
};
const observe = (of: Pick<JobRow, 'id' | 'run'>, seen: Partial<PodObservation>): Promise<unknown> =>
  world.database.tx((tx) =>
    recordObservation(tx, of.id, observation(of.id, { run: of.run, podUid: podOf(of), ...seen })),
  );
const remove = (of: Pick<JobRow, 'id' | 'run'>): Promise<unknown> =>
  world.database.tx((tx) => podRemoved(tx, of.id, { run: of.run, podUid: podOf(of) }));

const logs = (): PostgresLogStore => new PostgresLogStore(world.database, platformConfig.parse({}).logs);

async function write(of: Pick<JobRow, 'id' | 'run'>, text: string): Promise<void> {
  const key = { jobId: of.id, podUid: podOf(of), attempt: 0 };
  const bytes = Buffer.from(`2026-01-01T00:00:0${of.run}.000000000Z stdout F ${text}\n`);
  const offset = (await logs().position(key))?.length ?? -1;
  const given = { offset, length: bytes.length, gzip: gzipSync(bytes), cursor: null };
  expect(await logs().append(key, given)).toMatchObject({ accepted: true, attempt: of.run });
}

async function seal(of: Pick<JobRow, 'id' | 'run'>): Promise<void> {
  const key = { jobId: of.id, podUid: podOf(of), attempt: 0 };
  const offset = (await logs().position(key))?.length ?? -1;
  expect(await logs().finish(key, { offset, complete: true })).toMatchObject({ accepted: true });
}

async function readLog(id: string): Promise<string> {
  const tails = new LogTails(world.database.notifications);
  const parts: Buffer[] = [];
  const source = { logs: logs(), tails };
  for await (const part of followLog(source, id, { signal: AbortSignal.timeout(30_000) })) parts.push(part);
  tails.close();
  return Buffer.concat(parts).toString();
}

/** The scheduler is killed, and another one starts with nothing but the rows. */
async function crash(): Promise<void> {
  await world.kill();
  world.start();
}

test('a preempted job runs again to its end, though the scheduler is killed after each step', async () => {
  await world.addNode();
  world.start();
  const id = await world.run('one', { preset_name: 'spot-node', schedule_timeout: 30 });
  let victim = await becomes(id, { phase: 'admitted' });
  await observe(victim, { startedAt: new Date().toISOString() });
  victim = await becomes(id, { phase: 'running' });
  await write(victim, 'first run');
  await crash();

  const claim = await world.run('two', { preset_name: 'node' });
  victim = await becomes(id, { phase: 'stopping', status: 'suspended', reason: 'Preempted', run: 0 });
  expect(victim.status_description).toBe(
    `preempted for ${claim} of acme/two/alice, which takes back what it lent of its guarantee`,
  );
  await crash();
  // The job that it was preempted for does not start while it is there.
  expect((await becomes(claim, { reason: 'NoCapacity' })).phase).toBe('queued');
  const { json } = await world.api.request('alice', 'GET', `/jobs/${id}`);
  expect(json).toMatchObject({ status: 'suspended', scheduler_enabled: true, history: { reason: 'Preempted' } });
  expect(json.history).toMatchObject({ started_at: expect.any(String), exit_code: null });
  expect(json.history).not.toHaveProperty('finished_at');

  await observe(victim, { phase: 'failed', reason: 'LifeSpanEnded', exitCode: 143 });
  await crash();
  // Its container has ended: Kubernetes counts the room as free, and so does the scheduler.
  let claimed = await becomes(claim, { phase: 'admitted' });
  expect(await row(id)).toMatchObject({ phase: 'ended', status: 'suspended', run: 0 });
  await seal(victim);
  await crash();
  await becomes(id, { phase: 'archived', status: 'suspended' });
  await remove(victim);
  await crash();
  victim = await becomes(id, { phase: 'queued', status: 'suspended', reason: 'NoCapacity', run: 1 });
  expect(victim).toMatchObject({ pod_uid: null, node: null, pool: null, past_pods: [podOf({ id, run: 0 })] });
  // Its schedule timeout was for its first start.
  await world.database.db
    .updateTable('jobs')
    .set({ created_at: new Date(0) })
    .where('id', '=', id)
    .execute();

  await observe(claimed, {});
  claimed = await becomes(claim, { phase: 'running' });
  await crash();
  await observe(claimed, { phase: 'succeeded', exitCode: 0 });
  victim = await becomes(id, { phase: 'admitted', status: 'pending', run: 1 });
  await crash();
  // Late news of its first Pod, and of its log, are none of the second's.
  await observe({ id, run: 0 }, { phase: 'failed', exitCode: 143 });
  expect(await logs().position({ jobId: id, podUid: podOf({ id, run: 0 }), attempt: 1 })).toBe(undefined);
  await observe(victim, { startedAt: new Date().toISOString() });
  victim = await becomes(id, { phase: 'running', restarts: 1 });
  await write(victim, 'second run');
  await crash();
  await observe(victim, { phase: 'succeeded', exitCode: 0 });
  await seal(victim);
  victim = await becomes(id, { phase: 'archived', status: 'succeeded', logs_complete: true });
  await remove(victim);
  expect(await readLog(id)).toBe('first run\nsecond run\n');

  const { json: last } = await world.api.request('alice', 'GET', `/jobs/${id}`);
  const seen = last.statuses.map(({ status, reason }: Record<string, string>) => `${status} ${reason}`);
  expect(seen).toEqual([
    'pending Creating',
    'pending Scheduling',
    'running null',
    'suspended Preempted',
    'suspended NoCapacity',
    'pending Scheduling',
    'running null',
    'succeeded null',
  ]);
  // What it waited in between is neither run time nor paid.
  const runs = victim.ran_seconds + Number(victim.finished_at) / 1000 - Number(victim.started_at) / 1000;
  expect(last.history.run_time_seconds).toBeCloseTo(runs, 3);
  expect(Number(last.total_price_credits)).toBeCloseTo(runs, 3);
  expect(last.history.started_at).toBe(victim.first_started_at?.toISOString());
  expect(runs).toBeLessThan((Number(victim.finished_at) - Number(victim.first_started_at)) / 1000);
});

test.each<[string, (id: string) => Promise<unknown>, Partial<JobRow>]>([
  [
    'a kill while it leaves is its end',
    (id) => world.api.request('alice', 'DELETE', `/jobs/${id}`),
    { phase: 'gone', status: 'cancelled', reason: 'Killed' },
  ],
  [
    'its own end before it was asked is its end',
    async (id) => observe({ id, run: 0 }, { phase: 'succeeded', exitCode: 0, ofItself: true }),
    { phase: 'gone', status: 'succeeded', reason: null },
  ],
  [
    'a node that is lost while it leaves does not lose it',
    async (id) => observe({ id, run: 0 }, { phase: 'absent' }),
    { phase: 'queued', status: 'suspended', run: 1 },
  ],
])('of a preempted job: %s', async (_, happens, is) => {
  await world.addNode();
  world.start();
  const id = await world.run('one', { preset_name: 'spot-node' });
  const victim = await becomes(id, { phase: 'admitted' });
  await observe(victim, { startedAt: new Date().toISOString() });
  await becomes(id, { phase: 'running' });
  await world.run('two', { preset_name: 'node' });
  await becomes(id, { phase: 'stopping', status: 'suspended' });
  await happens(id);
  await observe(victim, { phase: 'failed', exitCode: 143 });
  await becomes(id, { phase: 'ended' });
  await seal(victim);
  await remove(victim);
  await becomes(id, is);
});

describe('kill -9', () => {
  const seed = runSeed();
  const KILLS = 6;

  test(`preempted jobs while the scheduler is killed ${KILLS} times at instants of seed ${seed}: all end, once, and never is there more than fits`, async () => {
    const random = seeded(seed);
    await world.addNode();
    world.start();
    const spots = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        world.run('one', { preset_name: 'spot', priority: i % 2 === 0 ? 'low' : 'normal' }),
      ),
    );
    const claims: string[] = [];
    let playing = true;
    const most: number[] = [];
    /** An agent and a collector that take their time. */
    const play = (async () => {
      while (playing) {
        await sleep(10 + random() * 30);
        const all = await world.rows();
        most.push(all.filter(({ phase }) => ['admitted', 'running', 'stopping'].includes(phase)).length);
        for (const each of all) {
          if (random() < 0.4) continue;
          if (each.phase === 'admitted') await observe(each, { startedAt: new Date().toISOString() });
          if (each.phase === 'running' && random() < (claims.length < 2 * KILLS ? 0.01 : 0.3))
            await observe(each, { phase: 'succeeded', exitCode: 0, ofItself: true });
          if (each.phase === 'stopping') await observe(each, { phase: 'failed', exitCode: 143 });
          if (each.phase === 'ended') await seal(each);
          if (each.phase === 'archived') await remove(each);
        }
      }
    })();
    await world.reaches('the node is full', (all) => all.filter(({ phase }) => phase === 'running').length === CORES);
    for (let kill = 0; kill < KILLS; kill += 1) {
      await sleep(300 + random() * 1_500);
      claims.push(await world.run('two'));
      claims.push(await world.run('one', { preset_name: 'spot', priority: 'high' }));
      if (kill === 0)
        await world.reaches('one is preempted', (all) => all.some(({ status }) => status === 'suspended'));
      await sleep(random() * 300);
      await crash();
    }
    const all = await world.reaches('all have ended', (seen) => seen.every(({ phase }) => phase === 'gone'));
    playing = false;
    await play;
    expect(all.map(({ id }) => id).toSorted()).toEqual([...spots, ...claims].toSorted());
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['succeeded']));
    expect(Math.max(...most)).toBeLessThanOrEqual(CORES);
    expect(all.some(({ run }) => run > 0)).toBe(true);
    expect(all.filter(({ preemptible, run }) => !preemptible && run > 0)).toEqual([]);
    for (const { past_pods, run, id } of all) {
      expect(past_pods).toEqual(Array.from({ length: run }, (_, past) => podOf({ id, run: past })));
    }
  });
});
