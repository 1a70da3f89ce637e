import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { platformConfig } from '@delos/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { followLog } from '../../../runtime/service/src/logs/follow.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import { type LogServices, startLogServices } from '../../support/logs/log-services.ts';
import { criLine, runningJob } from '../../support/logs/logged-jobs.ts';
import { startIssuer, type TestIssuer } from '../../support/service/control-api.ts';
import { observation } from '../../support/service/observer.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/* Control API and collector as processes, over a real PostgreSQL; the kubelet's log files are written by the test. */

const MIB = 2 ** 20;
const LIMIT = 8 * MIB;
const config = platformConfig.parse({ logs: { jobLimit: LIMIT } });

let postgres: TestPostgres;
let issuer: TestIssuer;
let database: Database;
let services: LogServices;

beforeAll(async () => {
  postgres = await startPostgres();
  issuer = await startIssuer();
  const connected = await postgres.connect();
  database = connected;
  await database.notifications.start();
  services = await startLogServices({ database: connected, postgres, issuer, config });
  services.start('api');
  services.start('collector');
});
afterAll(async () => {
  await services?.stop();
  await database?.close();
  await issuer?.stop();
  await postgres?.stop();
});

test('a job that writes fast fills neither database nor log, its readers see beginning and end, whoever is killed meanwhile', async () => {
  const { jobId } = await runningJob(database);
  const logs = services.container(jobId);
  logs.append(criLine('the beginning'));
  const store = new PostgresLogStore(database, config.logs);
  const tails = new LogTails(database.notifications);
  const read = async (): Promise<string> => {
    const parts: Buffer[] = [];
    const signal = AbortSignal.timeout(110_000);
    for await (const part of followLog({ logs: store, tails }, jobId, { signal })) parts.push(part);
    return Buffer.concat(parts).toString();
  };
  const following = read();
  await until('the beginning is archived', 60, async () =>
    (await database.db.selectFrom('log_chunks').select('job').executeTakeFirst()) === undefined ? undefined : true,
  );
  let largest = 0;
  for (let part = 1; part <= 60; part += 1) {
    logs.append(Buffer.concat(Array.from({ length: 2_000 }, () => criLine(randomBytes(250).toString('hex')))));
    if (part % 4 === 0) logs.rotate();
    if (part === 20 || part === 45) {
      await services.kill('collector');
      services.start('collector');
    }
    if (part === 30) {
      await services.kill('api');
      services.start('api');
    }
    await sleep(100);
    const { rows } = await sql<{ size: number }>`select pg_total_relation_size('log_chunks') as size`.execute(
      database.db,
    );
    largest = Math.max(largest, rows[0]?.size ?? 0);
  }
  logs.append(criLine('the end'));
  const ended = observation(jobId, { podUid: 'uid', phase: 'succeeded', exitCode: 0 });
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'observe', observation: ended }));
  await until('the log is sealed', 60, async (last) => {
    const row = await database.db.selectFrom('jobs').select('phase').where('id', '=', jobId).executeTakeFirst();
    last(row);
    return row?.phase === 'archived' ? true : undefined;
  });
  for (const text of [await following, await read()]) {
    expect(text.startsWith('the beginning\n')).toBe(true);
    expect(text.endsWith('\nthe end\n')).toBe(true);
    expect(text).toMatch(/\n\[delos\] [\d.]+ MiB are left out here: this log is over its limit\./);
  }
  tails.close();
  const usage = await database.db
    .selectFrom('log_usage')
    .selectAll()
    .where('job', '=', jobId)
    .executeTakeFirstOrThrow();
  expect(usage.head + usage.tail).toBeLessThanOrEqual(LIMIT);
  expect(largest).toBeGreaterThan(LIMIT / 4);
  expect(largest).toBeLessThanOrEqual(2 * LIMIT);
}, 180_000);
