import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { platformConfig } from '@delos/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import type { LogKey } from '../../../runtime/service/src/logs/log-store.ts';
import { type Bucket, ObjectBucket } from '../../../runtime/service/src/logs/object-bucket.ts';
import { type LogServices, startLogServices } from '../../support/logs/log-services.ts';
import { contentOf, criLine, readLog, runningJob } from '../../support/logs/logged-jobs.ts';
import { type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import { startIssuer, type TestIssuer } from '../../support/service/control-api.ts';
import { observation } from '../../support/service/observer.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/*
 * Each service on a log's way really stops, while a job writes. DELOS_TEST_OUTAGE_SECONDS says for how long; 600 is what the
 * platform promises.
 */

const OUTAGE_MS = 1_000 * Number(process.env.DELOS_TEST_OUTAGE_SECONDS ?? '20');
/** A line each 10 ms: in ten minutes 30 MiB, which a node keeps. */
const LINE_BYTES = 512;
const config = platformConfig.parse({});

let postgres: TestPostgres;
let storage: TestObjectStorage;
let issuer: TestIssuer;
let bucket: Bucket;
let database: Database & { readonly name: string };
let services: LogServices;
let store: PostgresLogStore;

beforeAll(async () => {
  [postgres, storage, issuer] = await Promise.all([startPostgres(), testObjectStorage(['job-logs']), startIssuer()]);
  bucket = await ObjectBucket.open(storage.settings('job-logs'));
});
beforeEach(async () => {
  await services?.stop();
  await database?.close();
  database = await postgres.connect();
  await database.notifications.start();
  services = await startLogServices({ database, postgres, issuer, config, bucket: storage.settings('job-logs') });
  store = new PostgresLogStore(database, config.logs, { bucket });
  services.start('api');
  services.start('collector');
});
afterAll(async () => {
  await services?.stop();
  await database?.close();
  await issuer?.stop();
  await storage?.stop();
  await postgres?.stop();
});

/** Its container has ended: waits until all of its log is in the object storage. */
async function archived({ jobId }: LogKey): Promise<void> {
  const ended = observation(jobId, { podUid: 'uid', phase: 'succeeded', exitCode: 0 });
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'observe', observation: ended }));
  await until('the log is sealed, and out of PostgreSQL', 120, async (last) => {
    const { rows } = await sql<{ phase: string; left: number }>`
      select phase, (select count(*) from log_chunks where job = id) as left from jobs where id = ${jobId}`.execute(
      database.db,
    );
    last(rows[0]);
    return rows[0]?.phase === 'archived' && rows[0].left === 0 ? true : undefined;
  });
}

const OUTAGES: Readonly<Record<string, { readonly stop: () => Promise<void>; readonly start: () => Promise<void> }>> = {
  'the object storage': { stop: () => storage.kill(), start: () => storage.up() },
  'the control API': { stop: () => services.kill('api'), start: async () => services.start('api') },
  'the collector': { stop: () => services.kill('collector'), start: async () => services.start('collector') },
  PostgreSQL: { stop: () => postgres.freeze(), start: () => postgres.thaw() },
};

test.each(Object.keys(OUTAGES))(
  'while %s is down nothing is lost of what the node keeps',
  async (what) => {
    const key = await runningJob(database);
    const files = services.container(key.jobId);
    let text = '';
    const write = (): void => {
      const line = criLine(randomBytes(LINE_BYTES / 2).toString('hex'));
      text += contentOf(line);
      files.append(line);
    };
    const writeFor = async (ms: number): Promise<void> => {
      for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) write();
    };
    await writeFor(2_000);
    await until('its beginning is archived', 60, async () =>
      ((await store.position(key))?.length ?? 0) > 0 ? true : undefined,
    );
    await OUTAGES[what]?.stop();
    await writeFor(OUTAGE_MS / 2);
    files.rotate();
    await writeFor(OUTAGE_MS / 2);
    await OUTAGES[what]?.start();
    await writeFor(2_000);
    await archived(key);
    expect(await readLog(database, store, key)).toBe(text);
  },
  4 * OUTAGE_MS + 300_000,
);

test('a control API that is killed at any instant while it moves logs loses none and leaves none twice', async () => {
  const keys: { key: LogKey; text: string }[] = [];
  for (let each = 0; each < 4; each += 1) {
    const key = await runningJob(database);
    const files = services.container(key.jobId);
    let text = '';
    for (let count = 0; count < 24_000; count += 1) {
      const line = criLine(randomBytes(LINE_BYTES / 2).toString('hex'));
      text += contentOf(line);
      files.append(line);
      // With a fourth old file there, the collector cannot know that there was no fifth.
      if (count % 6_000 === 5_999 && count < 20_000) files.rotate();
    }
    keys.push({ key, text });
  }
  for (let kills = 0; kills < 12; kills += 1) {
    await sleep(600 + Math.random() * 1_500);
    await services.kill('api');
    services.start('api');
  }
  for (const { key, text } of keys) {
    await archived(key);
    expect(await readLog(database, store, key)).toBe(text);
  }
  const { rows } = await sql<{ state: string; sum: number }>`
    select state, sum(length)::bigint as sum from log_objects group by state`.execute(database.db);
  const { rows: lengths } = await sql<{ sum: number }>`select sum(length)::bigint as sum from log_streams`.execute(
    database.db,
  );
  expect(rows.find(({ state }) => state === 'there')?.sum).toBe(lengths[0]?.sum);
  expect(rows.some(({ state }) => state === 'writing')).toBe(false);
}, 300_000);
