import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { platformConfig } from '@delos/core';
import { freePort } from '@delos/host';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { followLog } from '../../../runtime/service/src/logs/follow.ts';
import { LogTails } from '../../../runtime/service/src/logs/tails.ts';
import { startIssuer, type TestIssuer } from '../../support/service/control-api.ts';
import { observation } from '../../support/service/observer.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/* Control API and collector as processes, over a real PostgreSQL; the kubelet's log files are written by the test. */

const MIB = 2 ** 20;
const LIMIT = 8 * MIB;
const MAIN = join(import.meta.dirname, '../../../runtime/service/src/main.ts');
const config = platformConfig.parse({ logs: { jobLimit: LIMIT } });

let postgres: TestPostgres;
let issuer: TestIssuer;
let database: Database;
let folder: string;
const children = new Map<string, ChildProcess>();
let env: Readonly<Record<string, string>>;

function start(service: 'api' | 'collector'): void {
  const port = service === 'api' ? new URL(env.DELOS_API_URL ?? '').port : '0';
  children.set(
    service,
    spawn(process.execPath, [MAIN, service], { env: { ...env, DELOS_INTERNAL_PORT: port }, stdio: 'ignore' }),
  );
}
async function kill(service: 'api' | 'collector'): Promise<void> {
  const child = children.get(service);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

beforeAll(async () => {
  postgres = await startPostgres();
  issuer = await startIssuer();
  const connected = await postgres.connect();
  database = connected;
  await database.notifications.start();
  await database.tx((tx) => applyConfig(tx, config, 'default'));
  folder = mkdtempSync(join(tmpdir(), 'delos-log-limits-'));
  mkdirSync(join(folder, 'pods'));
  writeFileSync(join(folder, 'platform.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'agent-token'), 'agent-token-of-this-test');
  writeFileSync(join(folder, 'collector-token'), 'collector-token-of-this-test');
  const [publicPort, port] = [await freePort(), await freePort()];
  env = {
    PATH: process.env.PATH ?? '',
    ...postgres.env(connected.name),
    DELOS_CONFIG: join(folder, 'platform.json'),
    DELOS_CLUSTER: 'default',
    DELOS_AGENT_TOKEN_FILE: join(folder, 'agent-token'),
    DELOS_COLLECTOR_TOKEN_FILE: join(folder, 'collector-token'),
    DELOS_PUBLIC_URL: `http://127.0.0.1:${publicPort}`,
    DELOS_PUBLIC_PORT: String(publicPort),
    DELOS_OIDC_ISSUER: issuer.issuer,
    DELOS_OIDC_JWKS_URL: issuer.jwksUrl,
    DELOS_API_URL: `http://127.0.0.1:${port}`,
    DELOS_LISTEN_HOST: '127.0.0.1',
    DELOS_POD_LOGS: join(folder, 'pods'),
    DELOS_NODE: 'node-1',
    DELOS_LOG_LEVEL: 'error',
  };
  start('api');
  start('collector');
});
afterAll(async () => {
  for (const service of ['collector', 'api'] as const) await kill(service);
  await database?.close();
  await issuer?.stop();
  await postgres?.stop();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

async function running(jobId: string): Promise<void> {
  await sql`insert into jobs (id, cluster, org, project, owner, preset, request, spec) values
    (${jobId}, 'default', 'default', 'default', 'admin', 'cpu-small', '{}', '{"restartPolicy": "never"}')`.execute(
    database.db,
  );
  await database.tx((tx) => applyEvent(tx, jobId, { type: 'admit', pool: 'default', node: 'node-1', description: '' }));
  await database.tx((tx) =>
    applyEvent(tx, jobId, { type: 'observe', observation: observation(jobId, { podUid: 'uid' }) }),
  );
}

let count = 0;
const line = (text: string): string => {
  count += 1;
  return `2026-01-01T00:00:00.${String(count).padStart(9, '0')}Z stdout F ${text}\n`;
};
/** As a kubelet does: the file is renamed, and no more than four old ones are kept. */
function rotate(logs: string, number: number): void {
  renameSync(join(logs, '0.log'), join(logs, `0.log.20260101-${String(number).padStart(6, '0')}`));
  writeFileSync(join(logs, '0.log'), '');
  const old = readdirSync(logs)
    .filter((name) => name !== '0.log')
    .sort();
  for (const name of old.slice(0, -4)) unlinkSync(join(logs, name));
}

test('a job that writes fast fills neither database nor log, its readers see beginning and end, whoever is killed meanwhile', async () => {
  const jobId = 'job-00000000-0000-4000-8000-000000000001';
  await running(jobId);
  const logs = join(folder, 'pods', `delos-p_${jobId}_uid`, 'main');
  mkdirSync(logs, { recursive: true });
  appendFileSync(join(logs, '0.log'), line('the beginning'));
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
    appendFileSync(
      join(logs, '0.log'),
      Array.from({ length: 2_000 }, () => line(randomBytes(250).toString('hex'))).join(''),
    );
    if (part % 4 === 0) rotate(logs, part);
    if (part === 20 || part === 45) {
      await kill('collector');
      start('collector');
    }
    if (part === 30) {
      await kill('api');
      start('api');
    }
    await sleep(100);
    const { rows } = await sql<{ size: number }>`select pg_total_relation_size('log_chunks') as size`.execute(
      database.db,
    );
    largest = Math.max(largest, rows[0]?.size ?? 0);
  }
  appendFileSync(join(logs, '0.log'), line('the end'));
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
