import { setTimeout as sleep } from 'node:timers/promises';
import { platformConfig } from '@delos/core';
import { organizationAccount } from '@delos/ledger';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import { holdCredits } from '../../../runtime/service/src/db/credits/runs.ts';
import { preemptJob, recordObservation, stopJob } from '../../../runtime/service/src/db/jobs-state.ts';
import type { JobRow } from '../../../runtime/service/src/db/schema.ts';
import { creditsOf, expectSoundBooks, give } from '../../support/ledger/in-postgres.ts';
import { runSeed, seeded } from '../../support/random.ts';
import { worldForEachTest } from '../../support/service/each-test.ts';
import { observation } from '../../support/service/observer.ts';
import type { SchedulerWorld } from '../../support/service/scheduler-world.ts';
import { until } from '../../support/until.ts';

/* Credits over a real PostgreSQL and a scheduler that is killed; the test tells what the agent would see. */

/** One credit a second. */
const PRICE = '3600';
const configWith = (more: Readonly<Record<string, unknown>> = {}, org: Readonly<Record<string, unknown>> = {}) =>
  platformConfig.parse({
    users: [{ name: 'alice' }],
    presets: [
      { name: 'core', cpu: 1, memory: '64Mi', preemptible: true, creditsPerHour: PRICE },
      { name: 'free', cpu: 1, memory: '64Mi' },
    ],
    organizations: [
      { name: 'acme', ...org, projects: ['one', 'two'].map((name) => ({ name, members: [{ user: 'alice' }] })) },
    ],
    credits: { holdMinutes: 1, refundMinutes: 60, graceMinutes: 0, ...more },
  });

let world: SchedulerWorld;
worldForEachTest((made) => {
  world = made;
}, configWith());

const ACME = organizationAccount('acme');
const credits = (): Promise<number> => creditsOf(world.database, ACME);
const observe = (of: Pick<JobRow, 'id' | 'run'>, seen: Parameters<typeof observation>[1]) =>
  world.database.tx((tx) =>
    recordObservation(tx, of.id, observation(of.id, { run: of.run, podUid: `uid-${of.id}-${of.run}`, ...seen })),
  );
const runs = () => world.database.db.selectFrom('credit_runs').selectAll().orderBy('job').orderBy('run').execute();

/** Its container has run for so long already. */
async function hasRunFor(id: string, seconds: number): Promise<void> {
  await sql`update credit_runs set started = started - ${seconds} where job = ${id}`.execute(world.database.db);
  await sql`insert into credit_prices values ('default', 'core', 1, 1000000000::bigint * 3600) on conflict do nothing`.execute(
    world.database.db,
  );
}

const running = async (id: string): Promise<JobRow> => {
  await world.reaches('it is admitted', (all) => all.some((row) => row.id === id && row.phase === 'admitted'));
  const row = (await world.rows()).find((each) => each.id === id);
  if (row === undefined) throw new Error(`no row ${id}`);
  await observe(row, { phase: 'running', startedAt: new Date().toISOString(), nodeName: 'node-1' });
  return row;
};
const all = { cpu: 8, memory: 2 ** 34 };

test('an organization that nobody gave credits is not charged, whatever its presets cost', async () => {
  await world.addNode(all);
  world.start();
  const id = await world.run('one');
  const row = await running(id);
  await observe(row, { phase: 'succeeded', finishedAt: new Date().toISOString(), exitCode: 0 });
  expect(await runs()).toEqual([]);
});

test('what a job needs to start is held; one that cannot be paid for waits, and says why; what was not used comes back', async () => {
  await world.addNode(all);
  await give(world.database, 'acme', '130');
  world.start();
  const ids = [await world.run('one'), await world.run('one')];
  const [first] = await Promise.all(ids.map(running));
  expect(await credits()).toBe(10);
  const third = await world.run('two');
  const row = (await world.rows()).find(({ id }) => id === third);
  expect(row).toMatchObject({
    phase: 'queued',
    reason: 'NoCredits',
    status_description:
      'Organization acme has 10.0000 credits left, and this job needs 60.0000 to start: ask its administrator for more.',
  });
  const free = await world.run('two', { preset_name: 'free' });
  await running(free);
  await observe(first ?? never(), {
    phase: 'succeeded',
    finishedAt: new Date().toISOString(),
    exitCode: 0,
    nodeName: 'node-1',
  });
  await running(third);
  await expectSoundBooks(world.database);
});

test('a run that was preempted is given back, and the next one is charged by itself', async () => {
  await world.addNode(all);
  await give(world.database, 'acme', '5000');
  world.start();
  const id = await world.run('one');
  const row = await running(id);
  await hasRunFor(id, 1000);
  await until('it is charged', 30, async () => ((await runs())[0]?.charged_to ?? null) !== null || undefined);
  expect(await credits()).toBeLessThan(5000 - 999);
  await observe(row, { phase: 'failed', putOut: true, finishedAt: new Date().toISOString(), nodeName: 'node-1' });
  await until('it is settled', 30, async () => (await runs())[0]?.closed || undefined);
  expect(await credits()).toBe(5000);
  await expectSoundBooks(world.database);
});

test('a run that was preempted is given back also where its user ends the job while it stops', async () => {
  await world.addNode(all);
  await give(world.database, 'acme', '5000');
  world.start();
  const id = await world.run('one');
  const row = await running(id);
  await hasRunFor(id, 100);
  await world.database.tx((tx) => preemptJob(tx, id, { run: 0, description: 'for another' }));
  await world.database.tx((tx) => stopJob(tx, id, { status: 'cancelled', reason: 'Killed', description: 'by alice' }));
  await observe(row, { phase: 'failed', exitCode: 137, finishedAt: new Date().toISOString(), nodeName: 'node-1' });
  await until('it is settled', 30, async () => (await runs())[0]?.closed || undefined);
  expect((await runs())[0]).toMatchObject({ taken_away: true, charged: '0' });
  expect(await credits()).toBe(5000);
  await expectSoundBooks(world.database);
});

test('when nothing is left, jobs that cost something are ended after the grace period, and others run on', async () => {
  await world.addNode(all);
  await give(world.database, 'acme', '100');
  world.start();
  const [id, free] = [await world.run('one'), await world.run('one', { preset_name: 'free' })];
  await Promise.all([running(id), running(free)]);
  await hasRunFor(id, 400);
  await world.reaches('it is ended', (rows) => rows.some((row) => row.id === id && row.status === 'cancelled'));
  const rows = await world.rows();
  expect(rows.find((row) => row.id === id)).toMatchObject({
    reason: 'CreditsEnded',
    status_description: expect.stringMatching(
      /^ended for want of credits: organization acme has no credits left and owes/,
    ),
  });
  expect(rows.find((row) => row.id === free)).toMatchObject({ phase: 'running' });
  await give(world.database, 'acme', '1000');
  await running(await world.run('one'));
  await expectSoundBooks(world.database);
});

test('a budget stops jobs until its period is over, and a larger one lets them start', async () => {
  const budget = (credits: string) => configWith({}, { budget: { credits, period: 'year' } });
  await world.database.tx((tx) => applyConfig(tx, budget('90'), 'default'));
  await world.addNode(all);
  await give(world.database, 'acme', '1000');
  world.start();
  await running(await world.run('one'));
  const second = await world.run('one');
  const row = (await world.rows()).find(({ id }) => id === second);
  expect(row?.status_description).toMatch(
    /^Organization acme has spent 60\.0000 of its budget of 90\.0000 credits for this year, and this job needs 60\.0000 to start: the next year begins on \d{4}-01-01\.$/,
  );
  await world.database.tx((tx) => applyConfig(tx, budget('120'), 'default'));
  await running(second);
});

test('a price that begins later is that of later seconds', async () => {
  const begins = Math.floor(Date.now() / 1000) - 100;
  await give(world.database, 'acme', '100000');
  await world.addNode(all);
  world.start();
  const id = await world.run('one');
  const row = await running(id);
  const { db } = world.database;
  await sql`insert into credit_prices values ('default', 'core', 1, 1000000000::bigint * 3600)`.execute(db);
  await sql`insert into credit_prices values ('default', 'core', ${begins}, 2000000000::bigint * 3600)`.execute(db);
  await sql`alter table credit_prices disable trigger user`.execute(db);
  await sql`delete from credit_prices where from_at > ${begins}`.execute(db);
  await sql`update credit_runs set started = ${begins - 200} where job = ${id}`.execute(db);
  await observe(row, { phase: 'succeeded', finishedAt: new Date().toISOString(), exitCode: 0, nodeName: 'node-1' });
  await until('it is settled', 30, async () => (await runs())[0]?.closed || undefined);
  const [run] = await runs();
  const cost = 200 + 2 * ((run?.ended ?? 0) - begins);
  expect(await credits()).toBe(100_000 - cost);
});

test('of twenty admissions at once against the last credits one starts', async () => {
  await give(world.database, 'acme', '100');
  const ids = [];
  for (let n = 0; n < 20; n += 1) ids.push(await world.run('one'));
  const rows = await world.rows();
  const told = await Promise.all(rows.map((row) => world.database.tx((tx) => holdCredits(tx, row))));
  expect(told.filter((why) => why === undefined)).toHaveLength(1);
  expect(await credits()).toBe(40);
  await expectSoundBooks(world.database);
});

test('whoever charges is killed at any moment: each second is charged once, and the books are sound after each', async () => {
  const random = seeded(runSeed());
  const { db } = world.database;
  await sql`update credit_terms set charge_seconds = 1`.execute(db);
  await give(world.database, 'acme', '1000000');
  await world.addNode({ cpu: 64, memory: 2 ** 36 });
  world.start();
  const ids: string[] = [];
  for (let n = 0; n < 30; n += 1) ids.push(await world.run(n % 2 === 0 ? 'one' : 'two'));
  const rows = await Promise.all(ids.map(running));
  for (let kill = 0; kill < 10; kill += 1) {
    await sleep(600 + random() * 2_000);
    await world.kill();
    await expectSoundBooks(world.database);
    world.start();
  }
  const ended = new Date(Date.now() - 3_000).toISOString();
  for (const [index, row] of rows.entries()) {
    await observe(row, { phase: 'failed', putOut: index % 3 === 0, finishedAt: ended, nodeName: 'node-1' });
  }
  await until('all are settled', 60, async () => (await runs()).every(({ closed }) => closed) || undefined);
  await expectSoundBooks(world.database);
  const cost = (await runs()).reduce(
    (sum, run) => sum + (run.taken_away ? 0 : (run.ended ?? 0) - (run.started ?? 0)),
    0,
  );
  expect(await credits()).toBe(1_000_000 - cost);
  const charges = await db.selectFrom('credit_transactions').select('key').where('kind', '=', 'charge').execute();
  expect(charges.length).toBeGreaterThan(60);
});

test('what was written is not changed, and what does not add up is not written', async () => {
  await give(world.database, 'acme', '1');
  const { db } = world.database;
  await expect(sql`update credit_entries set grains = grains * 2`.execute(db)).rejects.toThrow(
    'credit_entries is only added to',
  );
  await expect(sql`delete from credit_transactions`.execute(db)).rejects.toThrow(/only added to|foreign key/);
  await expect(sql`truncate credit_entries`.execute(db)).rejects.toThrow('only added to');
  const one = (grains: number) =>
    world.database.tx(async (tx) => {
      await sql`insert into credit_transactions (key, kind, at, org) values ('x', 'hold', 1, 'acme')`.execute(tx);
      await sql`insert into credit_entries values ('x', 'a', 1), ('x', 'b', ${grains})`.execute(tx);
    });
  await expect(one(-2)).rejects.toThrow('add up to -1 grains');
  await one(-1);
  await expect(sql`insert into credit_entries values ('x', 'c', 5)`.execute(db)).rejects.toThrow(
    'do not add up to zero',
  );
  await expect(sql`update credit_prices set price = 0`.execute(db)).rejects.toThrow(
    'a price that holds already is not changed',
  );
});

function never(): never {
  throw new Error('there is no such job');
}
