import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { platformConfig, projectNamespace } from '@delos/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { applyConfig, KEEPS_PROJECT } from '../../../runtime/service/src/db/apply-config.ts';
import { connectDatabase, type Database } from '../../../runtime/service/src/db/database.ts';
import { migrate } from '../../../runtime/service/src/db/migrate.ts';
import { runPrepared } from '../../../runtime/service/src/db/prepared.ts';
import { whileKeepingRealm } from '../../../runtime/service/src/db/realm-wanted.ts';
import { quiet, startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

const addressInfo = z.object({ port: z.number() });
let postgres: TestPostgres;
let database: Database & { readonly name: string };

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
});

afterAll(async () => {
  await database?.close();
  await postgres?.stop();
});

test('a migration is applied once', async () => {
  expect(await migrate(database.db)).toEqual([]);
});

test('a statement that is asked all the time is planned once for a connection, and outlives a new column', async () => {
  const { db, close } = await postgres.connect();
  await db.connection().execute(async (one) => {
    const asked = () => runPrepared(one, db.selectFrom('users').select(['id', 'name']).where('name', '=', 'nobody'));
    const { rows: none } = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(one);
    expect(none).toEqual([]);
    for (let nth = 0; nth < 2; nth += 1) expect(await asked()).toEqual([]);
    await sql`alter table users add column later text`.execute(one);
    expect(await asked()).toEqual([]);
    const { rows } = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(one);
    expect(rows).toEqual([{ name: expect.stringMatching(/^delos-\d+$/) }]);
  });
  await close();
});

test('a connection that was never used is closed too: a command that ends early does not linger', async () => {
  const { name, close } = await postgres.connect();
  const connections = async (): Promise<number> => {
    const { rows } = await sql<{ open: number }>`
      select count(*)::int as open from pg_stat_activity where datname = ${name}`.execute(database.db);
    return rows[0]?.open ?? -1;
  };
  expect(await connections()).toBe(1);
  await close();
  expect(await until('it is gone', 20, async () => ((await connections()) === 0 ? 0 : undefined))).toBe(0);
});

test('a server that falls silent, as one whose node is lost, is given up in time; the next question has a new connection', async () => {
  const open = new Set<Socket>();
  const proxy = createServer((client) => {
    const server = createConnection(`${postgres.host}/.s.PGSQL.${postgres.port}`);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      open.add(from);
      from.on('error', () => undefined);
      from.pipe(to);
    }
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  const { port } = addressInfo.parse(proxy.address());
  const settings = { host: '127.0.0.1', port, user: postgres.user, database: await postgres.createDatabase() };
  const { db, close } = await connectDatabase({ ...settings, answerMs: 500, connections: 1 }, quiet);
  try {
    // Longer than that, and not silent: nothing was asked.
    await new Promise((resolve) => setTimeout(resolve, 700));
    const ask = () => sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(db);
    const before = await ask();
    for (const socket of open) socket.unpipe().pause();
    await expect(ask()).rejects.toThrow('PostgreSQL did not answer for 0.5 s');
    const after = await ask();
    expect(after.rows[0]?.pid).not.toBe(before.rows[0]?.pid);
  } finally {
    await close();
    for (const socket of open) socket.destroy();
    proxy.close();
  }
});

test('projects of different names never share a namespace', () => {
  expect(projectNamespace('a-b', 'c')).not.toBe(projectNamespace('a', 'b-c'));
  expect(projectNamespace('o'.repeat(63), 'p'.repeat(63)).length).toBeLessThanOrEqual(63);
});

const config = (organizations: unknown) => platformConfig.parse({ users: [{ name: 'alice' }], organizations });

test('what vanishes from the configuration goes, and is retired where something of it is left', async () => {
  const first = config([
    { name: 'acme', projects: [{ name: 'one', members: [{ user: 'alice' }] }, { name: 'two' }] },
    { name: 'left', projects: [{ name: 'three' }] },
    { name: 'kept', projects: [{ name: 'four' }, { name: 'five' }] },
  ]);
  await database.tx((tx) => applyConfig(tx, first, 'default'));
  await database.db
    .insertInto('buckets')
    .values({ id: 'bucket-1', org: 'kept', project: 'four', owner: 'alice' })
    .execute();
  const sealed = { sealed: Buffer.from('x'), wrapped_key: Buffer.from('x'), key_id: 'k', bytes: 1, is_text: true };
  await database.db
    .insertInto('secrets')
    .values({ cluster: 'default', org: 'kept', project: 'five', name: 's', owner: 'alice', ...sealed })
    .execute();
  await database.db
    .insertInto('jobs')
    .values({
      id: 'job-00000000-0000-4000-8000-000000000001',
      cluster: 'default',
      org: 'acme',
      project: 'two',
      owner: 'admin',
      preset: 'cpu-small',
      request: '{}',
      spec: '{}',
    })
    .execute();
  await database.tx((tx) => applyConfig(tx, config([{ name: 'acme', projects: [{ name: 'one' }] }]), 'default'));

  const projects = await database.db
    .selectFrom('projects')
    .select(['org', 'name', 'retired'])
    .orderBy('name')
    .execute();
  expect(projects).toEqual([
    { org: 'kept', name: 'five', retired: true },
    { org: 'kept', name: 'four', retired: true },
    { org: 'acme', name: 'one', retired: false },
    { org: 'acme', name: 'two', retired: true },
  ]);
  const orgs = await database.db.selectFrom('organizations').select('name').orderBy('name').execute();
  expect(orgs).toEqual([{ name: 'acme' }, { name: 'kept' }]);
  const members = await database.db.selectFrom('members').select(['project', 'user_name', 'role']).execute();
  expect(members).toEqual([{ project: 'one', user_name: 'admin', role: 'admin' }]);
});

test('each table that would forbid a project to go keeps it', async () => {
  const { rows } = await sql<{ name: string }>`select conrelid::regclass::text as name from pg_constraint
    where contype = 'f' and confrelid = 'projects'::regclass and confdeltype = 'a' order by 1`.execute(database.db);
  // Members are replaced before.
  expect(rows.map(({ name }) => name).filter((name) => name !== 'members')).toEqual([...KEEPS_PROJECT].sort());
});

test('of two that prepare the database at once, the second waits longer than a statement may, and then finds all done', async () => {
  const folder = pathToFileURL(`${await mkdtemp(join(tmpdir(), 'delos-migrations-'))}/`);
  // As long as a lock is waited for by the server.
  await writeFile(new URL('9000_long.sql', folder), 'select pg_sleep(12); create table long_made ();');
  const settings = { host: postgres.host, port: postgres.port, user: postgres.user, database: database.name };
  const [first, second] = await Promise.all(
    [1, 2].map(() => connectDatabase({ ...settings, connections: 1, patient: true }, quiet)),
  );
  if (first === undefined || second === undefined) throw new Error('two connections');
  const told: number[] = [];
  try {
    const done = await Promise.all([
      migrate(first.db, folder),
      sleep(1_000).then(() => migrate(second.db, folder, { tell: (seconds) => told.push(seconds) })),
    ]);
    expect(done).toEqual([['9000_long.sql'], []]);
    expect(told).toEqual([expect.any(Number)]);
  } finally {
    await Promise.all([first.close(), second.close()]);
    await rm(folder, { recursive: true });
  }
});

test('one that waits for its turn gives up in time, and says for what', async () => {
  const settings = { host: postgres.host, port: postgres.port, user: postgres.user, database: database.name };
  const other = await connectDatabase({ ...settings, connections: 1, patient: true }, quiet);
  try {
    await whileKeepingRealm(database, async () => {
      await expect(whileKeepingRealm(other, async () => undefined, { limitMs: 600 })).rejects.toMatchObject({
        code: 'ERR_TIMEOUT',
        message: 'another has been at the realm for 1 s',
      });
    });
    await whileKeepingRealm(other, async () => undefined, { limitMs: 600 });
  } finally {
    await other.close();
  }
});
