import { platformConfig, type SharedKind } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { applyConfig } from '../../../../runtime/service/src/db/apply-config.ts';
import { type ApiOnPostgres, startApiOnPostgres, TEST_CONFIG } from '../../../support/service/control-api.ts';
import { until } from '../../../support/until.ts';

/* What is shared one by one, and service accounts, by the API and a real PostgreSQL. bob is of another organization than alice and rita. */

let served: ApiOnPostgres & { readonly stop: () => Promise<void> };
beforeAll(async () => {
  served = await startApiOnPostgres();
  await served.database.notifications.start();
});
afterAll(() => served?.stop());

const P = { org_name: 'acme', project_name: 'one' };
const JOB = { preset_name: 'cpu-small', ...P, image: 'ubuntu:24.04' };
const ask = (user: string, method: string, path: string, body?: unknown) =>
  served.api.request(user, method, path, body);
const uri = (kind: SharedKind, ...names: readonly string[]): string =>
  `${kind}://default/${['acme', 'one', ...names].join('/')}`;
const give = async (by: string, to: string, what: string, action: string) => {
  const { status, json } = await ask(by, 'POST', `/users/${to}/permissions`, [{ uri: what, action }]);
  return [status, json.error ?? json[0].action];
};
const take = async (by: string, from: string, what: string): Promise<number> =>
  (await ask(by, 'DELETE', `/users/${from}/permissions?uri=${encodeURIComponent(what)}`)).status;
const make = async (path: string, body: object): Promise<string> => {
  const { status, json, text } = await ask('alice', 'POST', path, body);
  expect(status, text).toBeLessThan(300);
  return json.id ?? json.key;
};
/** As whoever shows it. */
const withToken = async (token: string, path: string, init: RequestInit = {}) => {
  const response = await fetch(`${served.api.url}/api/v1${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  });
  return { status: response.status, text: await response.text() };
};

describe('a thing that is shared', () => {
  const DISK = { storage: 2 ** 20, life_span: null, name: null, ...P };
  const THINGS = [
    ['job', () => make('/jobs?from_preset', JOB), '/jobs', '/jobs'],
    ['disk', () => make('/disk', DISK), '/disk', '/disk'],
    ['secret', () => make('/secrets', { key: 'shared', value: 'eA==', ...P }), '/secrets', '/secrets'],
  ] as const;

  test.each(THINGS)(
    'a %s is read, changed and lost as its grant says, and nothing beside it',
    async (kind, made, one, list) => {
      const [id, other] = [await made(), kind === 'secret' ? 'other' : await made()];
      const see = async (of: string) => (await ask('bob', 'GET', `${one}/${of}`)).status;
      const change = async () => (await ask('bob', 'DELETE', `${one}/${id}`)).status;
      const listed = async () => (await ask('bob', 'GET', list)).text;
      const hidden = await see(id);
      expect(await listed()).not.toContain(id);
      expect(await give('admin', 'bob', uri(kind, id), 'read')).toEqual([201, 'read']);
      // A value of a secret is given to jobs alone; the name is in lists.
      if (kind !== 'secret') expect(await see(id)).toBe(200);
      expect(await listed()).toContain(id);
      expect(await listed()).not.toContain(other);
      expect(await change()).toBe(403);
      expect(await give('admin', 'bob', uri(kind, id), 'write')).toEqual([201, 'write']);
      // What one has already is not made less.
      expect(await give('admin', 'bob', uri(kind, id), 'read')).toEqual([201, 'write']);
      expect(await take('admin', 'bob', uri(kind, id))).toBe(204);
      expect(await see(id)).toBe(hidden);
      expect(await listed()).not.toContain(id);
      expect(await take('admin', 'bob', uri(kind, id))).toBe(404);
    },
  );

  test('a whole project of one kind is all that is in it, and nothing of another kind', async () => {
    const [job, disk] = [await make('/jobs?from_preset', JOB), await make('/disk', DISK)];
    await give('admin', 'bob', uri('job'), 'write');
    expect((await ask('bob', 'GET', `/jobs/${job}`)).status).toBe(200);
    expect((await ask('bob', 'DELETE', `/jobs/${job}`)).status).toBe(204);
    expect((await ask('bob', 'POST', '/jobs?from_preset', JOB)).status).toBe(202);
    expect((await ask('bob', 'GET', `/disk/${disk}`)).status).toBe(404);
    const { json } = await ask('bob', 'GET', '/config');
    expect(json.projects.map((each: Record<string, string>) => `${each.name} ${each.role}`)).toEqual([
      'one reader',
      'hidden writer',
    ]);
    await take('admin', 'bob', uri('job'));
    expect((await ask('bob', 'POST', '/jobs?from_preset', JOB)).status).toBe(403);
  });

  test('a stream that is open is closed when the grant is taken back', async () => {
    const job = await make('/jobs?from_preset', JOB);
    await give('admin', 'bob', uri('job', job), 'read');
    const headers = { authorization: `Bearer ${await served.issuer.token('bob')}` };
    const socket = new WebSocket(`${served.api.url.replace('http', 'ws')}/api/v1/jobs/${job}/log_ws`, { headers });
    let closed: number | undefined;
    socket.once('close', (code) => {
      closed = code;
    });
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    await take('admin', 'bob', uri('job', job));
    await until('the stream is closed', 10, async () => closed);
    expect(closed).toBe(1008);
  });
});

test('a grant ends with its project, and is not there again with a project of the same name', async () => {
  const project = '/apis/admin/v1/clusters/default/orgs/acme/projects';
  const gone = 'job://default/acme/brief';
  const made = { name: 'brief', default_role: 'writer' };
  for (const expected of [1, 0]) {
    expect((await ask('admin', 'POST', project, made)).status).toBe(200);
    if (expected === 1) expect(await give('admin', 'noel', gone, 'write')).toEqual([201, 'write']);
    expect((await ask('noel', 'GET', '/users/noel/permissions')).json).toHaveLength(expected);
    expect((await ask('admin', 'DELETE', `${project}/brief`)).status).toBe(200);
  }
});

describe('who shares', () => {
  test('a writer what is theirs, a manager all of the project, a reader and a stranger nothing', async () => {
    const job = await make('/jobs?from_preset', JOB);
    const secret = await make('/secrets', { key: 'mine', value: 'eA==', ...P });
    expect(await give('alice', 'bob', uri('job', job), 'read')).toEqual([201, 'read']);
    expect((await give('alice', 'bob', uri('secret', secret), 'read'))[0]).toBe(403);
    expect((await give('alice', 'bob', uri('job'), 'read'))[0]).toBe(403);
    expect((await give('rita', 'bob', uri('job', job), 'read'))[0]).toBe(403);
    expect((await give('noel', 'noel', uri('job', job), 'read'))[0]).toBe(404);
    expect((await give('bob', 'noel', uri('job', job), 'read'))[0]).toBe(403);
    expect(await give('admin', 'bob', uri('job', job), 'manage')).toEqual([201, 'manage']);
    expect(await give('bob', 'noel', uri('job', job), 'read')).toEqual([201, 'read']);
    expect((await give('alice', 'bob', 'job://default/acme', 'read'))[0]).toBe(403);
    // Each may give back what they were given, and take nothing from others.
    expect(await take('noel', 'bob', uri('job', job))).toBe(403);
    expect(await take('noel', 'noel', uri('job', job))).toBe(204);
  });

  test('what one has is shown to oneself, and what one gave too', async () => {
    const shown = async (user: string, of: string, what: string) => await ask(user, 'GET', `/users/${of}/${what}`);
    expect((await shown('bob', 'bob', 'permissions?uri=job:')).json).toEqual([
      { uri: 'job://default/other/hidden', action: 'write' },
      { uri: expect.stringMatching(/^job:\/\/default\/acme\/one\/job-/), action: 'manage' },
    ]);
    expect((await shown('admin', 'admin', 'permissions/shared?uri=job:')).json).toEqual([
      { user: 'bob', uri: expect.stringContaining('/job-'), action: 'manage' },
    ]);
    expect((await shown('alice', 'bob', 'permissions')).status).toBe(403);
  });

  test.each([
    ['flow://default/acme/one/x', 501],
    ['role://somebody', 501],
    ['storage://default/acme/one/folder', 501],
    ['job://elsewhere/acme/one', 400],
    ['job://default', 400],
    ['job://default/acme/../other', 400],
    ['nothing', 400],
  ])('what cannot be shared is refused: %s', async (what, status) => {
    expect((await give('admin', 'bob', what, 'read'))[0]).toBe(status);
  });
});

describe('a service account', () => {
  const create = async (user: string, name: string) =>
    ask(user, 'POST', '/service_accounts', {
      name,
      default_cluster: 'default',
      default_org: 'acme',
      default_project: 'one',
    });
  const tokenOf = (blob: string): string => JSON.parse(Buffer.from(blob, 'base64').toString()).token;

  test('acts as itself, with what it is given, until it is removed', async () => {
    const { status, json } = await create('alice', 'ci');
    expect(status).toBe(201);
    expect(json).toMatchObject({ owner: 'alice', name: 'ci', role: 'alice.sa.ci', default_project: 'one' });
    const token = tokenOf(json.token);
    const config = await withToken(token, '/config');
    expect(JSON.parse(config.text)).toMatchObject({ authorized: true, projects: [{ name: 'one', role: 'reader' }] });
    const run = () => withToken(token, '/jobs?from_preset', { method: 'POST', body: JSON.stringify(JOB) });
    expect((await run()).status).toBe(403);
    const job = await make('/jobs?from_preset', JOB);
    expect((await withToken(token, `/jobs/${job}`)).status).toBe(400);
    expect(await give('alice', 'alice.sa.ci', uri('job', job), 'read')).toEqual([201, 'read']);
    expect((await withToken(token, `/jobs/${job}`)).status).toBe(200);
    await give('admin', 'alice.sa.ci', uri('job'), 'write');
    expect((await run()).status).toBe(202);
    const more = { name: 'more', default_cluster: 'default', default_org: 'acme', default_project: 'one' };
    const second = await withToken(token, '/service_accounts', { method: 'POST', body: JSON.stringify(more) });
    expect([second.status, second.text]).toEqual([403, expect.stringContaining('makes no service accounts')]);
    const socket = new WebSocket(`${served.api.url.replace('http', 'ws')}/api/v1/jobs/${job}/log_ws`, {
      headers: { authorization: `Bearer ${token}` },
    });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    // `up` leaves it alone.
    await served.database.tx((tx) => applyConfig(tx, TEST_CONFIG, 'default'));
    expect((await run()).status).toBe(202);
    expect((await ask('alice', 'DELETE', '/service_accounts/ci')).status).toBe(204);
    expect((await run()).status).toBe(401);
    expect(await closed).toBe(1008);
  });

  test('is its owner’s alone, and named once', async () => {
    await create('alice', 'mine');
    expect((await create('alice', 'mine')).status).toBe(409);
    expect((await create('bob', 'mine')).status).toBe(403);
    expect((await ask('rita', 'GET', '/service_accounts')).json).toEqual([]);
    expect((await ask('rita', 'GET', '/service_accounts/mine')).status).toBe(404);
    expect((await ask('rita', 'DELETE', '/service_accounts/mine')).status).toBe(404);
    expect((await ask('alice', 'GET', '/service_accounts')).text).not.toContain('token');
  });

  test('ends with its token, and with its owner', async () => {
    const token = tokenOf((await create('alice', 'short')).json.token);
    const other = tokenOf((await create('alice', 'long')).json.token);
    const { db } = served.database;
    await db
      .updateTable('service_accounts')
      .set({ expires_at: new Date(0) })
      .where('name', '=', 'short')
      .execute();
    const ended = await withToken(token, '/jobs');
    expect([ended.status, ended.text]).toEqual([401, expect.stringContaining('expired at 1970-01-01')]);
    expect((await withToken(other, '/jobs')).status).toBe(200);
    const without = platformConfig.parse({
      ...TEST_CONFIG,
      users: TEST_CONFIG.users.filter(({ name }) => name !== 'alice'),
      organizations: TEST_CONFIG.organizations.map((org) => ({
        ...org,
        projects: org.projects.map((project) => ({
          ...project,
          members: project.members.filter(({ user }) => user !== 'alice'),
        })),
      })),
    });
    await served.database.tx((tx) => applyConfig(tx, without, 'default'));
    expect((await withToken(other, '/jobs')).status).toBe(401);
    await served.database.tx((tx) => applyConfig(tx, TEST_CONFIG, 'default'));
    expect((await withToken(other, '/jobs')).status).toBe(401);
  });

  test('a token that only has the form of one opens nothing', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const forged = `${part({ alg: 'HS256', typ: 'delos-service-account+jwt' })}.${part({ identity: 'admin' })}.AAAA`;
    expect((await withToken(forged, '/jobs')).status).toBe(401);
  });
});
