import type { AddressInfo } from 'node:net';
import { type PlatformConfig, platformConfig } from '@delos/core';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { sourceOf } from '../../../runtime/service/src/api/limits/source.ts';
import { MOST_ROWS, prune } from '../../../runtime/service/src/api/resources/login/limits.ts';
import { OpenStreams } from '../../../runtime/service/src/api/streams/open-streams.ts';
import { applyConfig } from '../../../runtime/service/src/db/apply-config.ts';
import { migrate } from '../../../runtime/service/src/db/migrate.ts';
import { type Answer, type ApiOnPostgres, startApiOnPostgres, TEST_CONFIG } from '../../support/service/control-api.ts';
import { quiet, startPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/** Without a user, as `delos.yaml` would be. */
function without(user: string): PlatformConfig {
  const { organizations, users } = TEST_CONFIG;
  return platformConfig.parse({
    ...TEST_CONFIG,
    users: users.filter(({ name }) => name !== user),
    organizations: organizations.map((org) => ({
      ...org,
      projects: org.projects.map((project) => ({
        ...project,
        members: project.members.filter((member) => member.user !== user),
      })),
    })),
  });
}

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
beforeAll(async () => {
  served = await startApiOnPostgres();
  await served.database.notifications.start();
});
afterAll(() => served?.stop());

const apply = (config: PlatformConfig): Promise<void> => served.database.tx((tx) => applyConfig(tx, config, 'default'));

async function ask(claims: Readonly<Record<string, unknown>>, path: string, init: RequestInit = {}): Promise<Answer> {
  const { api, issuer } = served;
  const response = await fetch(`${api.url}/api/v1${path}`, {
    ...init,
    headers: {
      authorization: `Bearer ${await issuer.token('alice', claims)}`,
      'content-type': 'application/json',
      ...init.headers,
    },
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
}

describe('a person is an account, and not a name', () => {
  const job = { preset_name: 'cpu-small', org_name: 'acme', project_name: 'one', image: 'ubuntu:24.04' };
  const make = (claims: Readonly<Record<string, unknown>>): Promise<Answer> =>
    ask(claims, '/jobs?from_preset', {
      method: 'POST',
      body: JSON.stringify(job),
      headers: { 'idempotency-key': 'the-same' },
    });
  const one = { sub: 'the-one' };
  const other = { sub: 'the-other' };

  test('the first account of a name is that user, whatever it asks at one time, and a second one is nobody', async () => {
    const headers = { authorization: `Bearer ${await served.issuer.token('alice', one)}` };
    // An unknown job is 400 to a user, 401 to anybody else. A list would not do: a user has a limit of lists at once.
    const first = Array.from({ length: 200 }, () => fetch(`${served.api.url}/api/v1/jobs/job-none`, { headers }));
    expect(new Set((await Promise.all(first)).map(({ status }) => status))).toEqual(new Set([400]));
    expect(await ask(other, '/jobs')).toMatchObject({
      status: 401,
      json: { error: expect.stringMatching(/^the account of "alice" is not one of this platform; /) },
    });
  });

  test('who is removed is refused at once, and their jobs stay with the project', async () => {
    const { json: made } = await make(one);
    await apply(without('alice'));
    expect(await ask(one, '/jobs')).toMatchObject({
      status: 401,
      json: { error: expect.stringMatching(/^the account of "alice" was removed from this platform; /) },
    });
    const { json: shown } = await served.api.request('rita', 'GET', `/jobs/${made.id}`);
    expect(shown).toMatchObject({ status: 'pending', owner: expect.stringMatching(/^alice~\d+$/) });
    await apply(TEST_CONFIG);
    expect((await ask(one, '/jobs')).status).toBe(401);
  });

  test('who is given the name later owns nothing of the former one', async () => {
    expect((await ask(other, '/jobs?owner=alice')).json).toEqual({ jobs: [] });
    const { json: made } = await make(other);
    const { json: all } = await ask(other, '/jobs');
    expect(all.jobs.map(({ owner }: { owner: string }) => owner.replace(/\d+$/, ''))).toEqual(['alice~', 'alice']);
    expect((await ask(other, '/jobs?owner=alice')).json.jobs.map(({ id }: { id: string }) => id)).toEqual([made.id]);
  });

  test('an issued token of a removed user is on record as revoked', async () => {
    const { database } = served;
    const token = { jti: 'issued', user_name: 'bob', issued_by: 'test', expires_at: new Date(Date.now() + 1e6) };
    await database.db
      .insertInto('issued_tokens')
      .values({ ...token, revoked_at: null })
      .execute();
    await apply(without('bob'));
    const row = await database.db
      .selectFrom('issued_tokens')
      .selectAll()
      .where('jti', '=', 'issued')
      .executeTakeFirst();
    expect(row?.revoked_at).not.toBeNull();
    await apply(TEST_CONFIG);
  });
});

describe('another service asks whether a caller has rights', () => {
  const check = async (user: string, of: string, ...rights: readonly string[]) => {
    const body = rights.map((right) => ({ uri: right.split(' ')[1], action: right.split(' ')[0] }));
    const { status, json } = await served.api.request(user, 'POST', `/users/${of}/permissions/check`, body);
    const missing = json.missing?.map(({ uri, action }: { uri: string; action: string }) => `${action} ${uri}`);
    return [status, missing];
  };
  const ONE = 'pypi://default/acme/one';

  test.each([
    ['rita', [`read ${ONE}`], []],
    ['rita', [`read ${ONE}`, `write ${ONE}`], [`write ${ONE}`]],
    ['bob', ['write pypi://default/other/hidden/any/thing', `read ${ONE}`], [`read ${ONE}`]],
    ['admin', [`write ${ONE}`, 'write disk://default/other/hidden'], []],
    ['admin', ['read pypi://default/acme/none', 'read pypi://elsewhere/acme/one', 'read acme/one'], 'all'],
    ['noel', [], []],
  ])('%s: %j', async (user, asked, missing) => {
    const expected = missing === 'all' ? asked : missing;
    expect(await check(user, user, ...asked)).toEqual(expected.length === 0 ? [200, undefined] : [403, expected]);
  });

  test('with the token of somebody else it is refused, whatever is asked, and says nothing of what is missing', async () => {
    for (const user of ['rita', 'admin']) {
      expect(await check(user, 'bob', `read ${ONE}`)).toEqual([403, undefined]);
      expect(await check(user, 'bob')).toEqual([403, undefined]);
    }
  });

  test('what is no right, and too many of them, are refused', async () => {
    expect((await check('rita', 'rita', `manage ${ONE}`))[0]).toBe(400);
    expect((await check('rita', 'rita', ...Array(101).fill(`read ${ONE}`)))[0]).toBe(400);
  });
});

test('an installation of before: members become users, jobs of others are nobody’s', async () => {
  const postgres = await startPostgres();
  const database = await postgres.connect();
  try {
    await sql`drop table users cascade`.execute(database.db);
    await sql`alter table jobs drop column made_by_trace`.execute(database.db);
    await sql`delete from schema_migrations where name = '0006_users.sql'`.execute(database.db);
    await sql`insert into organizations (name) values ('acme')`.execute(database.db);
    await sql`insert into projects (org, name, namespace) values ('acme', 'one', 'n')`.execute(database.db);
    await sql`insert into members (org, project, user_name, role) values ('acme', 'one', 'alice', 'writer')`.execute(
      database.db,
    );
    await sql`insert into clusters (name, pools, presets) values ('default', '[]', '[]')`.execute(database.db);
    await sql`insert into jobs (id, cluster, org, project, owner, preset, request, spec)
      select 'job-' || owner, 'default', 'acme', 'one', owner, 'p', '{}', '{}'
      from unnest(array['alice', 'zoe']) owner`.execute(database.db);
    expect(await migrate(database.db)).toEqual(['0006_users.sql']);
    const owners = await database.db.selectFrom('jobs').select('owner').orderBy('id').execute();
    expect(owners.map(({ owner }) => owner)).toEqual(['alice', expect.stringMatching(/^zoe~\d+$/)]);
    const users = await database.db.selectFrom('users').select(['name', 'removed_at']).orderBy('name').execute();
    expect(users.map(({ name, removed_at }) => [name, removed_at === null])).toEqual([
      ['alice', true],
      ['zoe', false],
    ]);
  } finally {
    await database.close();
    await postgres.stop();
  }
});

describe('a stream that is open', () => {
  test.each([
    ['of a removed user is closed', 'alice', 'acme', 'one', without('alice'), 1008],
    ['in a project that was lost is closed', 'alice', 'other', 'hidden', TEST_CONFIG, 1008],
    ['that only a writer may have is closed to a reader', 'rita', 'acme', 'one', TEST_CONFIG, 1008],
    ['of somebody else stays open', 'alice', 'acme', 'one', without('bob'), undefined],
    ['of the administrator stays open anywhere', 'admin', 'other', 'hidden', without('alice'), undefined],
  ])('%s when the configuration changes', async (_name, user, org, project, config, code) => {
    const { database } = served;
    await apply(TEST_CONFIG);
    const row = await database.db
      .selectFrom('users')
      .select('id')
      .where('name', '=', user)
      .where('removed_at', 'is', null)
      .executeTakeFirstOrThrow();
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
    await new Promise((resolve) => server.once('listening', resolve));
    const accepted = new Promise<WebSocket>((resolve) => server.once('connection', resolve));
    const client = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    let closed: number | undefined;
    client.once('close', (number) => {
      closed = number;
    });
    const open = new OpenStreams(database, quiet);
    const caller = { id: row.id, user, admin: user === 'admin', roles: new Map() };
    open.add(await accepted, caller, { org, project }, 'write');
    // Closed in every case by the same change: when it is gone, the others have been looked at too.
    const gone = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const end = new Promise((resolve) => gone.once('close', resolve));
    const second = await new Promise<WebSocket>((resolve) => server.once('connection', resolve));
    open.add(second, { ...caller, id: -1, admin: false }, { org, project }, 'write');
    await apply(config);
    await end;
    if (code !== undefined) await until('the stream is closed', 10, async () => closed);
    expect(closed).toBe(code);
    open.close();
    client.terminate();
    server.close();
  });
});

describe('failed logins', () => {
  test.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('of %s count for %s', (address, source) => {
    expect(sourceOf(address)).toBe(source);
  });

  test('are kept in a bounded number of rows, the newest ones', async () => {
    const { db } = served.database;
    await sql`insert into login_failures (source, account, failures, last_at)
      select n::text, '', 1, now() - n * interval '1 ms' from generate_series(1, ${MOST_ROWS + 50}::int) n`.execute(db);
    await prune(db);
    const { rows } = await sql<{ count: number; oldest: number }>`
      select count(*)::int, max(source::int) as oldest from login_failures`.execute(db);
    expect(rows).toEqual([{ count: MOST_ROWS, oldest: MOST_ROWS }]);
  });
});
