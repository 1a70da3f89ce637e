import { platformConfig } from '@delos/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { LogBuffer } from '../../../runtime/service/src/logs/log-archive.ts';
import { LogMover, type LogMoverProps } from '../../../runtime/service/src/logs/log-mover.ts';
import { type LogKey, logPolicyOf } from '../../../runtime/service/src/logs/log-store.ts';
import { LogSweep } from '../../../runtime/service/src/logs/log-sweep.ts';
import { type Bucket, ObjectBucket } from '../../../runtime/service/src/logs/object-bucket.ts';
import {
  appendLine,
  contentOf,
  criLine,
  endJob,
  noiseLine,
  readLog,
  runningJob,
} from '../../support/logs/logged-jobs.ts';
import { elements, type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import { quiet, startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

/* Logs that move from a real PostgreSQL to the platform's own object storage. */

const KIB = 2 ** 10;
const MIB = 2 ** 20;
const BUCKET = 'job-logs';
const config = platformConfig.parse({
  logs: { jobLimit: 8 * MIB, maxJobLimit: 16 * MIB, projectLimit: 64 * MIB },
  organizations: [
    { name: 'default', projects: [{ name: 'default' }, { name: 'short', logs: { keepDays: 3, limit: 8 * MIB } }] },
  ],
});

let postgres: TestPostgres;
let storage: TestObjectStorage;
let bucket: Bucket;
let database: Database & { readonly name: string };
let store: PostgresLogStore;

beforeAll(async () => {
  [postgres, storage] = await Promise.all([startPostgres(), testObjectStorage([BUCKET])]);
  bucket = await ObjectBucket.open(storage.settings(BUCKET));
});
afterAll(async () => {
  await postgres?.stop();
  await storage?.stop();
});
beforeEach(async () => {
  await database?.close();
  database = await postgres.connect();
  await database.notifications.start();
  await database.tx((tx) => applyConfig(tx, config, 'default'));
  store = new PostgresLogStore(database, logPolicyOf(config), { bucket });
});
afterAll(() => database?.close());

const mover = (props: Partial<LogMoverProps> = {}): LogMover =>
  new LogMover({ database, bucket, log: quiet, pieceBytes: 256 * KIB, keepSeconds: 0, ...props });
/** Until nothing is left to do. */
async function moveAll(by = mover()): Promise<number> {
  for (let sum = 0; ; ) {
    const moved = await by.round();
    if (moved === 0) return sum;
    sum += moved;
  }
}
async function objectKeys(): Promise<readonly string[]> {
  const answer = await storage.owner(BUCKET).fetch(`${storage.url}/${BUCKET}?list-type=2`);
  return elements(await answer.text(), 'Key').toSorted();
}
/** Names of the objects that the index knows, with those that are to be removed. */
async function indexed(): Promise<readonly string[]> {
  const rows = await database.db.selectFrom('log_objects').selectAll().execute();
  return rows
    .map(
      (row) =>
        `${row.job}/${row.attempt}/${String(row.start).padStart(15, '0')}-${row.length}-${row.digest.slice(0, 16)}.gz`,
    )
    .toSorted();
}
const chunksLeft = async (): Promise<number> =>
  (await database.db.selectFrom('log_chunks').select('job').execute()).length;
/** A log of so many lines of `bytes`. */
async function written(key: LogKey, count: number, bytes: number): Promise<string> {
  let text = '';
  for (let each = 0; each < count; each += 1) {
    const line = noiseLine(bytes);
    text += contentOf(line);
    await appendLine(store, key, line);
  }
  return text;
}

describe('a log', () => {
  test('leaves PostgreSQL whole once it is sealed, in few objects, and reads as before', async () => {
    const key = await runningJob(database);
    const text = await written(key, 40, 32 * KIB);
    await endJob(database, store, key);
    expect(await moveAll()).toBe(5);
    expect(await chunksLeft()).toBe(0);
    expect(await readLog(database, store, key)).toBe(text);
    expect((await objectKeys()).filter((name) => name.startsWith(key.jobId))).toHaveLength(5);
    const { rows } = await sql<{ used: number }>`select head + tail as used from log_usage`.execute(database.db);
    expect(rows).toEqual([{ used: 40 * (32 * KIB - 1) + 5 * 256 }]);
  });

  test('that grows leaves by pieces, the rest of it after a while, and is followed meanwhile', async () => {
    const key = await runningJob(database);
    const before = await written(key, 20, 32 * KIB);
    const following = readLog(database, store, key, { separator: '=== live ===' });
    await moveAll();
    const left = await chunksLeft();
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThan(8);
    const after = await written(key, 20, 32 * KIB);
    expect(await moveAll(mover({ waitSeconds: 0 }))).toBeGreaterThan(0);
    expect(await chunksLeft()).toBe(0);
    await endJob(database, store, key);
    expect((await following).replace('=== live ===\n', '')).toBe(before + after);
  });

  test('is read from where its lines are new enough, without what is older', async () => {
    const key = await runningJob(database);
    const old = new Date('2026-01-01T00:00:00Z');
    const fresh = new Date('2026-01-02T00:00:00Z');
    for (let each = 0; each < 10; each += 1) {
      await appendLine(
        store,
        key,
        criLine(`${each < 9 ? 'old' : 'new'} ${'x'.repeat(256 * KIB)}`, each < 9 ? old : fresh),
      );
    }
    await sql`update log_chunks set at = ${old} where start < (select max(start) from log_chunks)`.execute(database.db);
    await endJob(database, store, key);
    await moveAll();
    let got = 0;
    const counting: Bucket = {
      put: (...args) => bucket.put(...args),
      remove: (name) => bucket.remove(name),
      list: (from, most) => bucket.list(from, most),
      get: (...args) => {
        got += 1;
        return bucket.get(...args);
      },
    };
    const counted = new PostgresLogStore(database, logPolicyOf(config), { bucket: counting });
    const text = await readLog(database, counted, key, { since: fresh });
    expect(text.startsWith('new x')).toBe(true);
    expect(got).toBe(1);
  });

  test('over its limit loses its middle, wherever that is, and its objects go', async () => {
    const key = await runningJob(database);
    await appendLine(store, key, criLine('the beginning'));
    for (let each = 0; each < 16; each += 1) {
      await written(key, 1, MIB);
      if (each % 5 === 0) await moveAll();
    }
    await appendLine(store, key, criLine('the end'));
    await endJob(database, store, key);
    await moveAll();
    const text = await readLog(database, store, key);
    expect(text.startsWith('the beginning\n')).toBe(true);
    expect(text.endsWith('\nthe end\n')).toBe(true);
    expect(text.match(/\[delos\] [\d.]+ MiB are left out here/g)).toHaveLength(1);
    const kept = await database.db.selectFrom('log_objects').select(['length', 'state']).execute();
    expect(new Set(kept.map(({ state }) => state))).toEqual(new Set(['there']));
    expect(kept.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(8 * MIB);
    expect((await objectKeys()).filter((name) => name.startsWith(key.jobId))).toEqual(await indexed());
  });

  test('says where it misses bytes, which the storage has lost', async () => {
    const key = await runningJob(database);
    await appendLine(store, key, criLine('before'));
    await appendLine(store, key, criLine('after'), { lost: true, missing: 12_345 });
    await endJob(database, store, key);
    await moveAll();
    const told = '[delos] 12345 bytes are missing here: their node deleted them before they were read.\n';
    expect(await readLog(database, store, key)).toBe(`before\n${told}after\n`);
    const [first = ''] = await indexed();
    await bucket.remove(first);
    expect(await readLog(database, store, key)).toMatch(
      /^\[delos\] \d+ bytes are missing here: the object storage does not have them any more\.\n.*\nafter\n$/,
    );
  });
});

describe('whatever fails while it moves', () => {
  const FAULTS: Readonly<Record<string, (fail: () => boolean) => Bucket>> = {
    'the storage before it has an object': (fail) => ({
      ...plain(),
      put: async (...args) => {
        if (fail()) throw new Error('away');
        await bucket.put(...args);
      },
    }),
    'the answer that it has it': (fail) => ({
      ...plain(),
      put: async (...args) => {
        await bucket.put(...args);
        if (fail()) throw new Error('away');
      },
    }),
    'the connection to PostgreSQL': (fail) => ({
      ...plain(),
      put: async (...args) => {
        await bucket.put(...args);
        if (fail()) await postgres.cutConnections(database.name);
      },
    }),
  };
  const plain = (): Bucket => ({
    put: (...args) => bucket.put(...args),
    get: (...args) => bucket.get(...args),
    remove: (name) => bucket.remove(name),
    list: (from, most) => bucket.list(from, most),
  });

  test.each(Object.keys(FAULTS))('%s: nothing is lost nor twice, in the log and in the bucket', async (what) => {
    const key = await runningJob(database);
    const text = await written(key, 24, 64 * KIB);
    await endJob(database, store, key);
    let puts = 0;
    const failing = FAULTS[what]?.(() => ++puts % 2 === 1) ?? bucket;
    const by = mover({ bucket: failing });
    for (let failures = 0; failures < 12 && (await chunksLeft()) > 0; failures += 1) {
      await by.round().catch(() => undefined);
      expect(await readLog(database, store, key)).toBe(text);
    }
    expect(await chunksLeft()).toBe(0);
    expect(puts).toBeGreaterThan(6);
    expect((await objectKeys()).filter((name) => name.startsWith(key.jobId))).toEqual(await indexed());
  });

  test('several that move at once move each piece once', async () => {
    const key = await runningJob(database);
    const text = await written(key, 24, 64 * KIB);
    await endJob(database, store, key);
    const moved = await Promise.all(Array.from({ length: 4 }, () => moveAll()));
    await moveAll();
    expect(moved.reduce((sum, each) => sum + each)).toBeLessThanOrEqual(6);
    expect(await readLog(database, store, key)).toBe(text);
  });

  test('a log that is removed between object and index leaves nothing behind', async () => {
    const key = await runningJob(database);
    await written(key, 4, 64 * KIB);
    await endJob(database, store, key, 31);
    const by = mover({
      bucket: {
        ...plain(),
        put: async (...args) => {
          await bucket.put(...args);
          await store.keepHouse();
        },
      },
    });
    await moveAll(by);
    expect(await readLog(database, store, key)).toMatch(/^\[delos\] This log was removed: /);
    expect(await indexed()).toEqual([]);
    expect((await objectKeys()).filter((name) => name.startsWith(key.jobId))).toEqual([]);
  });
});

describe('while the storage is down', () => {
  test('logs stay in PostgreSQL and are read from there; over logs.bufferLimit they are refused, until it is back', async () => {
    const [moved, waiting] = [await runningJob(database), await runningJob(database)];
    await written(moved, 8, 64 * KIB);
    await endJob(database, store, moved);
    await moveAll();
    await storage.kill();
    const buffer = new LogBuffer(database, 4 * MIB);
    const bounded = new PostgresLogStore(database, logPolicyOf(config), { bucket, isFull: () => buffer.isFull });
    const text = await written(waiting, 5, MIB - 64);
    await expect(mover().round()).rejects.toThrow(/ECONNREFUSED/);
    expect(await readLog(database, store, waiting, { signal: AbortSignal.timeout(1_000) })).toBe(text);
    await buffer.look();
    expect(buffer.bytes).toBeGreaterThan(4 * MIB);
    expect(buffer.isFull).toBe(false);
    await sql`update log_objects set changed_at = changed_at - interval '2 minutes' where state = 'writing'`.execute(
      database.db,
    );
    await buffer.look();
    expect(buffer.isFull).toBe(true);
    await expect(appendLine(bounded, waiting, criLine('more'))).rejects.toThrow(/logs\.bufferLimit is reached/);
    const reading = readLog(database, store, moved);
    await storage.up();
    expect(await reading).not.toBe('');
    await moveAll();
    await buffer.look();
    expect(buffer.isFull).toBe(false);
    await appendLine(bounded, waiting, criLine('more'));
    await endJob(database, store, waiting);
    await moveAll();
    expect(await readLog(database, store, waiting)).toBe(`${text}more\n`);
  });
});

describe('a project', () => {
  test('keeps logs for its own days, and within its own limit', async () => {
    const kept = [await runningJob(database), await runningJob(database, 'short')];
    const gone = await runningJob(database, 'short');
    for (const key of [...kept, gone]) await appendLine(store, key, criLine('hello'));
    for (const [key, days] of [...kept.map((each) => [each, 2] as const), [gone, 4] as const]) {
      await endJob(database, store, key, days);
    }
    await moveAll();
    await store.keepHouse();
    for (const key of kept) expect(await readLog(database, store, key)).toBe('hello\n');
    expect(await readLog(database, store, gone)).toMatch(/^\[delos\] This log was removed: /);
    const large = [await runningJob(database, 'short'), await runningJob(database, 'short')];
    for (const key of large) {
      await written(key, 7, MIB - 64);
      await endJob(database, store, key);
    }
    await moveAll();
    await store.keepHouse();
    const sizes = await database.db
      .selectFrom('log_objects')
      .select('length')
      .where('state', '=', 'there')
      .where(
        'job',
        'in',
        large.map(({ jobId }) => jobId),
      )
      .execute();
    expect(sizes.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(8 * MIB);
    expect(sizes.length).toBeGreaterThan(0);
  });

  test('that delos.yaml does not have any more loses its logs a day later, and not before', async () => {
    const key = await runningJob(database, 'short');
    await appendLine(store, key, criLine('hello'));
    await endJob(database, store, key);
    await moveAll();
    await database.tx((tx) => applyConfig(tx, platformConfig.parse({}), 'default'));
    await store.keepHouse();
    expect(await readLog(database, store, key)).toBe('hello\n');
    await sql`update projects set retired_at = retired_at - interval '25 hours' where retired`.execute(database.db);
    await store.keepHouse();
    expect(await readLog(database, store, key)).toMatch(/^\[delos\] This log was removed: /);
    await moveAll();
    expect((await objectKeys()).filter((name) => name.startsWith(key.jobId))).toEqual([]);
  });
});

describe('objects that no log has, as after a restore of an older database', () => {
  const sweeping = (keepSeconds: number): { readonly by: LogMover; readonly swept: () => number } => {
    let swept = 0;
    const onSwept = (objects: number): void => {
      swept += objects;
    };
    const sweep = new LogSweep({ bucket, log: quiet, keepSeconds, everyMs: 0, pageObjects: 150, onSwept });
    return { by: mover({ sweep }), swept: () => swept };
  };
  const unmarked = (): Promise<void> => bucket.remove('platform');

  test('go after a while, page by page; those of logs and of others stay', async () => {
    await unmarked();
    const key = await runningJob(database);
    const text = await written(key, 8, 64 * KIB);
    await endJob(database, store, key);
    await moveAll();
    const foreign = ['readme.txt', `${key.jobId}/0/notes.gz`, 'job-1/0/000000000000000-1-0123456789abcdef.gz'];
    const lost = Array.from(
      { length: 320 },
      (_, each) => `${key.jobId}/7/${String(each).padStart(15, '0')}-1-0123456789abcdef.gz`,
    );
    const put = async (names: readonly string[]): Promise<void> => {
      for (let from = 0; from < names.length; from += 20) {
        await Promise.all(names.slice(from, from + 20).map((name) => bucket.put(name, Buffer.from('x'))));
      }
    };
    await put([...foreign, ...lost]);
    const young = sweeping(3_600);
    for (let round = 0; round < 4; round += 1) await young.by.round();
    expect(young.swept()).toBe(0);
    const { by, swept } = sweeping(-1);
    let most = 0;
    let removed = 0;
    for (let round = 0; round < 30; round += 1) {
      const now = await by.round();
      most = Math.max(most, now);
      removed += now;
    }
    expect(most).toBe(100);
    expect(removed).toBe(swept());
    // Those of other tests' databases are no log's here either.
    expect(swept()).toBeGreaterThanOrEqual(lost.length);
    const left = await objectKeys();
    expect(left.filter((name) => name.includes('/7/'))).toEqual([]);
    expect(left).toEqual(expect.arrayContaining(foreign));
    expect(await readLog(database, store, key)).toBe(text);
  });

  test('stay in a bucket that another platform has marked', async () => {
    const lost = 'job-00000000-0000-4000-8000-00000000000f/0/000000000000000-1-0123456789abcdef.gz';
    await bucket.put('platform', Buffer.from('another'));
    await bucket.put(lost, Buffer.from('x'));
    const { by, swept } = sweeping(-1);
    for (let round = 0; round < 3; round += 1) await by.round();
    expect(swept()).toBe(0);
    expect(await objectKeys()).toContain(lost);
    await unmarked();
    await by.round();
    expect(swept()).toBeGreaterThan(0);
    expect(await objectKeys()).not.toContain(lost);
  });
});
