import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { platformConfig } from '@delos/core';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { followLog } from '../../../runtime/service/src/logs/follow.ts';
import type { LogKey, LogPolicy } from '../../../runtime/service/src/logs/log-store.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import type { TestApi } from '../../support/service/control-api.ts';
import { apiForEachTest } from '../../support/service/each-test.ts';
import { observation } from '../../support/service/observer.ts';

/* What is kept of logs, on a real PostgreSQL. */

const MIB = 2 ** 20;
const POLICY: LogPolicy = { jobLimit: 8 * MIB, projectLimit: 64 * MIB, totalLimit: 256 * MIB, keepDays: 30 };
const config = platformConfig.parse({
  organizations: [{ name: 'default', projects: [{ name: 'one' }, { name: 'two' }] }],
});

let database: Database;
let api: TestApi;
apiForEachTest((made) => {
  ({ database, api } = made);
}, config);

const submit = (facts: Readonly<Record<string, unknown>> = {}) =>
  api.request('admin', 'POST', '/jobs?from_preset', { preset_name: 'cpu-small', image: 'ubuntu', ...facts });

/** A job whose container runs. */
async function running(facts: Readonly<Record<string, unknown>> = {}): Promise<LogKey> {
  const { json } = await submit(facts);
  const jobId: string = json.id;
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'admit', pool: 'default', node: 'node-1', description: '' }));
  await database.tx((tx) =>
    applyEvent(tx, jobId, { type: 'observe', observation: observation(jobId, { podUid: 'uid' }) }),
  );
  return { jobId, podUid: 'uid', attempt: 0 };
}

async function end({ jobId, podUid }: LogKey, daysAgo = 0): Promise<void> {
  const ended = observation(jobId, { podUid, phase: 'succeeded', exitCode: 0 });
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'observe', observation: ended }));
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'seal', complete: true }));
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'removed', run: 0, podUid }));
  await sql`update jobs set finished_at = now() - make_interval(days => ${daysAgo}::int) where id = ${jobId}`.execute(
    database.db,
  );
}

const line = (text: string): Buffer => Buffer.from(`2026-01-01T00:00:00.000000000Z stdout F ${text}\n`);
/** As hard to compress as text in hexadecimals is. */
const noise = (bytes: number): Buffer => line(randomBytes(Math.floor((bytes - 41) / 2)).toString('hex'));

async function append(
  store: PostgresLogStore,
  key: LogKey,
  bytes: Buffer,
  facts: { readonly skipped?: number; readonly lost?: boolean } = {},
) {
  const offset = (await store.position(key))?.length ?? -1;
  const outcome = await store.append(key, {
    offset,
    length: bytes.length,
    gzip: gzipSync(bytes, { level: 1 }),
    cursor: null,
    ...facts,
  });
  expect(outcome?.accepted).toBe(true);
  return outcome;
}

async function read(store: PostgresLogStore, { jobId }: LogKey, limit = AbortSignal.timeout(30_000)): Promise<string> {
  const tails = new LogTails(database.notifications);
  const parts: Buffer[] = [];
  for await (const part of followLog({ logs: store, tails }, jobId, { signal: limit })) parts.push(part);
  tails.close();
  return Buffer.concat(parts).toString();
}

const charged = async (jobId: string): Promise<number> => {
  const row = await database.db.selectFrom('log_usage').selectAll().where('job', '=', jobId).executeTakeFirstOrThrow();
  return row.head + row.tail;
};
const stored = async (): Promise<number> => {
  const { rows } = await sql<{ size: number }>`select pg_total_relation_size('log_chunks') as size`.execute(
    database.db,
  );
  return rows[0]?.size ?? 0;
};
const NOTICE =
  /\[delos\] [\d.]+ \w+ are left out here: this log is over its limit\. Its beginning and its end are kept\.\n/g;

describe('a job’s log', () => {
  test('is kept whole up to its limit, and no rate is set', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const key = await running();
    let text = '';
    for (let each = 0; each < 7; each += 1) {
      const bytes = noise(MIB);
      text += bytes.subarray(40).toString();
      expect((await append(store, key, bytes))?.position.rate).toBeNull();
    }
    await store.finish(key, { offset: (await store.position(key))?.length ?? 0, complete: true });
    await end(key);
    expect(await read(store, key)).toBe(text);
  });

  test.each([
    ['in large pieces', 8 * MIB, 30, MIB],
    ['in pieces of the largest size', 8 * MIB, 8, 4 * MIB - 64],
    ['line by line', MIB, 2_500, 300],
  ])(
    'over its limit keeps its beginning and its end, says so, and takes at most twice the limit of disk: %s',
    async (_, jobLimit, count, size) => {
      const store = new PostgresLogStore(database, { ...POLICY, jobLimit });
      const key = await running();
      let offset = (await append(store, key, line('the beginning')))?.position.length ?? -1;
      for (let each = 0; each < count; each += 1) {
        const bytes = noise(size);
        const gzip = gzipSync(bytes, { level: 1 });
        expect(await store.append(key, { offset, length: bytes.length, gzip, cursor: null })).toMatchObject({
          accepted: true,
        });
        offset += bytes.length;
      }
      const last = await append(store, key, line('the end'));
      expect(last?.position.rate).toBe(Math.floor(jobLimit / 2 / 120));
      expect(await charged(key.jobId)).toBeLessThanOrEqual(jobLimit);
      await store.keepHouse();
      await store.finish(key, { offset: last?.position.length ?? 0, complete: true });
      await end(key);
      const text = await read(store, key);
      expect(text.startsWith('the beginning\n')).toBe(true);
      expect(text.endsWith('\nthe end\n')).toBe(true);
      expect(text.match(NOTICE)).toHaveLength(1);
      const { rows } = await sql<{ live: number }>`select sum(octet_length(data)) as live from log_chunks`.execute(
        database.db,
      );
      expect(Number(rows[0]?.live)).toBeLessThanOrEqual(jobLimit);
      // What comes faster than our own collector sends is made room for others when it is 32 MiB.
      expect(await stored()).toBeLessThanOrEqual(2 * jobLimit + 32 * MIB);
    },
    60_000,
  );

  test('is followed over the cut: what was there is shown, and then what comes', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const key = await running();
    await append(store, key, line('the beginning'));
    const following = read(store, key);
    for (let each = 0; each < 40; each += 1)
      await append(store, key, noise(MIB / 2), { skipped: each === 20 ? 1_000 : 0 });
    const last = await append(store, key, line('the end'));
    await store.finish(key, { offset: last?.position.length ?? 0, complete: true });
    await end(key);
    const text = await following;
    expect(text.startsWith('the beginning\n')).toBe(true);
    expect(text.endsWith('\nthe end\n')).toBe(true);
    expect(text.match(NOTICE)?.length ?? 0).toBeGreaterThan(0);
  });

  test('says where a part of it may have been lost on its node', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const key = await running();
    await append(store, key, line('before'));
    const last = await append(store, key, line('after'), { lost: true });
    await store.finish(key, { offset: last?.position.length ?? 0, complete: false });
    await end(key);
    expect(await read(store, key)).toMatch(/^before\n\[delos\] A part of this log may be missing here: .*\nafter\n$/);
  });

  test('is limited over all its attempts together', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const first = await running();
    for (let attempt = 0; attempt < 20; attempt += 1) await append(store, { ...first, attempt }, noise(MIB));
    expect(await charged(first.jobId)).toBeLessThanOrEqual(8 * MIB);
  });

  test('of an attempt that was cut to nothing is not followed for ever', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const key = await running();
    for (let each = 0; each < 20; each += 1) await append(store, key, noise(MIB));
    const { length } = (await store.position(key)) ?? { length: 0 };
    await sql`delete from log_chunks where job = ${key.jobId}`.execute(database.db);
    await store.finish(key, { offset: length, complete: true });
    await end(key);
    expect(await read(store, key)).toMatch(new RegExp(`^${NOTICE.source}$`));
  });

  test('an append is taken once, whatever it passes over', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const key = await running();
    const bytes = line('x');
    const given = { offset: 0, skipped: 100, length: bytes.length, gzip: gzipSync(bytes), cursor: 'c' };
    expect(await store.append(key, given)).toMatchObject({ accepted: true, position: { length: 100 + bytes.length } });
    expect(await store.append(key, given)).toMatchObject({
      accepted: false,
      position: { length: 100 + bytes.length, cursor: 'c' },
    });
    expect(await charged(key.jobId)).toBe(bytes.length + 256);
  });
});

describe('a job may ask for another limit', () => {
  test('which is its own', async () => {
    const store = new PostgresLogStore(database, { ...POLICY, jobLimit: 64 * MIB });
    const key = await running({ env: { DELOS_LOG_LIMIT: '8Mi' } });
    for (let each = 0; each < 12; each += 1) await append(store, key, noise(MIB));
    expect(await charged(key.jobId)).toBeLessThanOrEqual(8 * MIB);
  });

  test.each(['much', '1Ki', '2Gi', ''])('but not %j', async (limit) => {
    const { status, json } = await submit({ env: { DELOS_LOG_LIMIT: limit } });
    expect(status).toBe(400);
    expect(json.error).toMatch(/^env\.DELOS_LOG_LIMIT: .* expected 8Mi to 1Gi; /);
  });
});

describe('a log is removed', () => {
  test('so many days after its job has ended, which is told to who reads it', async () => {
    const store = new PostgresLogStore(database, POLICY);
    const [old, young, live] = [await running(), await running(), await running()];
    for (const key of [old, young, live]) await append(store, key, line('hello'));
    await end(old, 31);
    await end(young, 29);
    await store.keepHouse();
    expect(await read(store, old)).toMatch(/^\[delos\] This log was removed: /);
    expect(await read(store, young)).toBe('hello\n');
    expect(await charged(live.jobId)).toBeGreaterThan(0);
    const { json } = await api.request('admin', 'GET', `/jobs/${old.jobId}`);
    expect(json.logs_removed).toBe(true);
  });

  test('never for its age where delos.yaml says 0 days', async () => {
    const store = new PostgresLogStore(database, { ...POLICY, keepDays: 0 });
    const key = await running();
    await append(store, key, line('hello'));
    await end(key, 10_000);
    await store.keepHouse();
    expect(await read(store, key)).toBe('hello\n');
  });

  test('first of who ended first, where a project is over its limit, and of that project alone', async () => {
    const store = new PostgresLogStore(database, { ...POLICY, projectLimit: 16 * MIB });
    const keys: LogKey[] = [];
    for (const daysAgo of [3, 2, 1]) {
      const key = await running({ project_name: 'one' });
      for (let each = 0; each < 7; each += 1) await append(store, key, noise(MIB));
      await end(key, daysAgo);
      keys.push(key);
    }
    const other = await running({ project_name: 'two' });
    await append(store, other, line('hello'));
    await end(other, 9);
    await store.keepHouse();
    const sizes = await Promise.all(keys.map(({ jobId }) => charged(jobId)));
    expect(sizes.map((size) => size > 0)).toEqual([false, true, true]);
    expect(await read(store, other)).toBe('hello\n');
  });
});

test('where jobs that run are over their project’s limit, each keeps its part of it', async () => {
  const store = new PostgresLogStore(database, { ...POLICY, projectLimit: 16 * MIB });
  const keys = [await running(), await running(), await running(), await running()];
  for (const key of keys) for (let each = 0; each < 7; each += 1) await append(store, key, noise(MIB));
  await store.keepHouse();
  const sum = async (): Promise<number> =>
    (await Promise.all(keys.map(({ jobId }) => charged(jobId)))).reduce((total, size) => total + size, 0);
  expect(await sum()).toBeLessThanOrEqual(16 * MIB);
  for (const key of keys) for (let each = 0; each < 7; each += 1) await append(store, key, noise(MIB));
  expect(await sum()).toBeLessThanOrEqual(16 * MIB);
});

test('where all projects are over the limit of all, the largest gives way', async () => {
  const store = new PostgresLogStore(database, { ...POLICY, totalLimit: 12 * MIB });
  const small = await running({ project_name: 'two' });
  for (let each = 0; each < 3; each += 1) await append(store, small, noise(MIB));
  const large: LogKey[] = [];
  for (const daysAgo of [2, 1]) {
    const key = await running({ project_name: 'one' });
    for (let each = 0; each < 7; each += 1) await append(store, key, noise(MIB));
    await end(key, daysAgo);
    large.push(key);
  }
  await store.keepHouse();
  const sizes = await Promise.all([small, ...large].map(({ jobId }) => charged(jobId)));
  expect(sizes.map((size) => size > 0)).toEqual([true, false, true]);
  expect(sizes.reduce((sum, size) => sum + size)).toBeLessThanOrEqual(12 * MIB);
});

test('several processes that keep house at once remove each log once', async () => {
  const stores = Array.from({ length: 4 }, () => new PostgresLogStore(database, { ...POLICY, keepDays: 1 }));
  const keys = await Promise.all(Array.from({ length: 5 }, () => running()));
  for (const key of keys) {
    await append(stores[0] ?? new PostgresLogStore(database, POLICY), key, line('hello'));
    await end(key, 2);
  }
  await Promise.all(stores.map((store) => store.keepHouse()));
  await stores[0]?.keepHouse();
  expect(await database.db.selectFrom('log_chunks').select('job').execute()).toEqual([]);
});
