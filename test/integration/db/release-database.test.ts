import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { execute, expectOk } from '../../../peers/src/command.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { migrate, missingMigrations } from '../../../runtime/service/src/db/migrate.ts';
import { releaseCheckout } from '../../support/releases/checkout.ts';
import type { Filling } from '../../support/releases/fill-database.ts';
import { RELEASES } from '../../support/releases/releases.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

const FILL = join(import.meta.dirname, '../../support/releases/fill-database.ts');
const LOG = 'the first line\nthe last line\n';
const filledShape = z.object({ ended: z.string(), running: z.string(), queued: z.string(), removed: z.string() });

let postgres: TestPostgres;
let issuer: TestIssuer;
beforeAll(async () => {
  [postgres, issuer] = await Promise.all([startPostgres(), startIssuer()]);
});
afterAll(async () => {
  await issuer?.stop();
  await postgres?.stop();
});

describe.each(RELEASES)('a database in which release $version worked', (release) => {
  let database: Database & { readonly name: string };
  let jobs: z.infer<typeof filledShape>;
  let api: TestApi;

  beforeAll(async () => {
    database = await postgres.connect();
    await sql`drop schema public cascade`.execute(database.db);
    await sql`create schema public`.execute(database.db);
    const checkout = await releaseCheckout(release);
    const { host, port, user } = postgres;
    const filling: Filling = { checkout, database: { host, port, user, database: database.name }, log: LOG };
    const said = await expectOk(execute([process.execPath, FILL, JSON.stringify(filling)], { cwd: checkout }));
    jobs = filledShape.parse(JSON.parse(said.trim().split('\n').at(-1) ?? ''));
    // As that release does with a user whom delos.yaml names no more.
    await sql`delete from members where user_name = 'bob'`.execute(database.db);
  });
  afterAll(async () => {
    await api?.stop();
    await database?.close();
  });

  test('is brought to the present tables once', async () => {
    const missing = await missingMigrations(database.db);
    expect(missing.length).toBeGreaterThan(0);
    expect(missing).not.toContain('0001_init.sql');
    expect(await migrate(database.db)).toEqual(missing);
    expect(await migrate(database.db)).toEqual([]);
    api = await startControlApi(database, issuer);
  });

  test('has its jobs, each as it was', async () => {
    const { status, json } = await api.request('alice', 'GET', '/jobs?cluster_name=default');
    expect(status).toBe(200);
    const listed = z.object({ jobs: z.array(z.object({ id: z.string(), status: z.string() })) }).parse(json).jobs;
    expect(Object.fromEntries(listed.map(({ id, status: now }) => [id, now]))).toEqual({
      [jobs.ended]: 'succeeded',
      [jobs.running]: 'running',
      [jobs.queued]: 'pending',
    });
    expect((await api.request('alice', 'DELETE', `/jobs/${jobs.running}`)).status).toBe(204);
  });

  test('has the log of a job that had ended, which counts as one that was written today does', async () => {
    const chunks = await api.deps.logs.chunks({ jobId: jobs.ended, attempt: 0, offset: 0 }, 10);
    expect(Buffer.concat(await Promise.all(chunks.map((chunk) => chunk.bytes()))).toString()).toBe(LOG);
    const { rows } = await sql<{ head: number }>`select head from log_usage where job = ${jobs.ended}`.execute(
      database.db,
    );
    expect(rows).toEqual([{ head: LOG.length + 256 }]);
  });

  test('gives the jobs of a removed user to nobody who is called so later', async () => {
    const { json } = await api.request('admin', 'GET', `/jobs/${jobs.removed}`);
    expect(json.owner).toMatch(/^bob~\d+$/);
    expect((await api.request('bob', 'GET', '/jobs?cluster_name=default&owner=bob')).json.jobs).toEqual([]);
  });
});
