import { once } from 'node:events';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { jobUrl, namedJobLabel } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Database } from '../../../../runtime/service/src/db/database.ts';
import { ask, type WebAnswer } from '../../../support/edge/ask.ts';
import { startGateway, type TestGateway } from '../../../support/edge/gateway.ts';
import { http2Suite } from '../../../support/edge/http2-suite.ts';
import {
  ends,
  JOBS_DOMAIN,
  newJob,
  runs,
  startJobRouter,
  startWebJob,
  type TestJobRouter,
} from '../../../support/edge/job-router.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../../support/service/control-api.ts';
import { startPostgres } from '../../../support/service/postgres.ts';
import { until } from '../../../support/until.ts';

/*
 * The whole way of a request to a job: the real gateway, the real router, the control API on a real PostgreSQL, and a job's
 * process that shows what it gets. Logins by a browser, with Keycloak itself, are in test/long/service/http-jobs.test.ts.
 */

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let database: Database;
let issuer: TestIssuer;
let api: TestApi;
let gateway: TestGateway;
let router: TestJobRouter;
let web: Awaited<ReturnType<typeof startWebJob>>;
let webPort: number;
let closed: { readonly id: string; readonly host: string };
let open: { readonly id: string; readonly host: string };

const hostOf = (label: string): string => `${label}.${JOBS_DOMAIN}`;
const bearer = async (user: string) => ({ authorization: `Bearer ${await issuer.token(user)}` });
const headersSeen = ({ json }: WebAnswer): ReadonlyMap<string, string> => new Map(json.headers);

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  await database.notifications.start();
  issuer = await startIssuer();
  api = await startControlApi(database, issuer, undefined, 'default', { jobsDomain: JOBS_DOMAIN });
  const [routerPort, http2Port] = [await freePort(), await freePort()];
  gateway = await startGateway(
    { api: Number(new URL(api.url).port), identity: await freePort() },
    {
      'job-router.delos.svc.cluster.local:8080': `127.0.0.1:${routerPort}`,
      'job-router.delos.svc.cluster.local:8082': `127.0.0.1:${http2Port}`,
    },
  );
  const publicUrl = `http://127.0.0.1:${gateway.ports.http}`;
  router = await startJobRouter({ api: api.url, publicUrl, issuer: issuer.issuer, port: routerPort, http2Port });
  webPort = await freePort();
  web = await startWebJob(webPort);
  const job = async (name: string, login: boolean) => {
    const id = await newJob(api, 'alice', { name, http: { port: webPort, requires_auth: login } });
    await runs(api, id);
    return { id, host: hostOf(namedJobLabel({ org: 'acme', project: 'one', name })) };
  };
  closed = await job('closed', true);
  open = await job('open-to-all', false);
});

afterAll(async () => {
  await web?.stop();
  await router?.stop();
  await gateway?.stop();
  await api?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});

describe('the address of a job', () => {
  test('is told by its name and by its id, at the scheme and port of the platform', async () => {
    const { json } = await api.request('alice', 'GET', `/jobs/${closed.id}`);
    expect(json.http_url).toBe(jobUrl(api.url, JOBS_DOMAIN, closed.id));
    expect(json.http_url_named).toMatch(/^http:\/\/closed--one-[0-9a-f]{10}\.jobs\.localhost:\d+$/);
    expect(json.history.description ?? '').not.toContain('gets no URL');
  });

  test.each(['named', 'id'])('leads to it, by its %s', async (by) => {
    const host = by === 'id' ? hostOf(closed.id) : closed.host;
    const answer = await ask(gateway.ports.http, host, { path: '/a%2Fb/c?x=1;y=%20', headers: await bearer('alice') });
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({ method: 'GET', url: '/a%2Fb/c?x=1;y=%20' });
  });

  test('is of one project: the same name in another one leads elsewhere', async () => {
    const other = hostOf(namedJobLabel({ org: 'other', project: 'hidden', name: 'closed' }));
    expect((await ask(gateway.ports.http, other, { headers: await bearer('alice') })).status).toBe(404);
    expect((await ask(gateway.ports.http, other, { headers: await bearer('bob') })).status).toBe(404);
  });

  test('answers within a second of the port, and says before why it does not', async () => {
    const port = await freePort();
    const id = await newJob(api, 'alice', { http: { port, requires_auth: false } });
    const get = (headers: Readonly<Record<string, string>> = {}) => ask(gateway.ports.http, hostOf(id), { headers });
    const pending = await get();
    expect(pending).toMatchObject({ status: 503, json: { code: 'ERR_JOB_WAITING' } });
    expect(pending.json.error).toContain('waits for the scheduler');
    await runs(api, id);
    await until('its Pod is known', 10, async () => ((await get()).json?.code === 'ERR_JOB_SILENT' ? true : undefined));
    const page = await get({ accept: 'text/html' });
    expect(page.status).toBe(503);
    expect(page.headers['retry-after']).toBe('1');
    expect(page.text).toContain('http-equiv="refresh"');
    const served = await startWebJob(port);
    // Nothing of the failure is kept: the very next request is answered.
    expect((await get()).status).toBe(200);
    await ends(api, id);
    await until('its end is known', 10, async () => ((await get()).status === 410 ? true : undefined));
    expect((await get({ accept: 'text/html' })).text).toContain('The job is over');
    await served.stop();
  });
});

describe('who may see it', () => {
  test('reads the project: its own people, and the administrator', async () => {
    for (const user of ['alice', 'rita', 'admin'])
      expect((await ask(gateway.ports.http, closed.host, { headers: await bearer(user) })).status, user).toBe(200);
  });

  test('nobody else does, and learns nothing: no token, a wrong one, one of another project', async () => {
    const unknown = hostOf('job-00000000-0000-4000-8000-000000000000');
    for (const host of [closed.host, unknown]) {
      expect((await ask(gateway.ports.http, host)).status).toBe(401);
      expect((await ask(gateway.ports.http, host, { headers: { authorization: 'Bearer a.b.c' } })).status).toBe(401);
      const stranger = await ask(gateway.ports.http, host, { headers: await bearer('bob') });
      expect(stranger).toMatchObject({ status: 404, json: { code: 'ERR_JOB_UNKNOWN' } });
    }
    const expired = { authorization: `Bearer ${await issuer.token('alice', { exp: 1 })}` };
    expect((await ask(gateway.ports.http, closed.host, { headers: expired })).status).toBe(401);
  });

  test('a browser without a login is sent to one, a program is not', async () => {
    const headers = { accept: 'text/html,*/*', 'sec-fetch-mode': 'navigate' };
    const { status, headers: answered } = await ask(gateway.ports.http, closed.host, {
      path: '//evil.example/x',
      headers,
    });
    expect(status).toBe(302);
    expect(answered.location).toMatch(
      new RegExp(`^http://127\\.0\\.0\\.1:${gateway.ports.http}/job-login/start\\?to=[A-Za-z0-9_-]+$`),
    );
    expect(answered['referrer-policy']).toBe('no-referrer');
    const [cookie = ''] = [answered['set-cookie'] ?? []].flat();
    expect(cookie).toMatch(/^delos-job-login=[\w-]{43}; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax$/);
    const posted = await ask(gateway.ports.http, closed.host, { method: 'POST', headers });
    expect(posted.status).toBe(401);
    expect((await ask(gateway.ports.http, closed.host, { method: 'OPTIONS' })).status).toBe(401);
  });

  test('a job without login asks nobody', async () => {
    expect((await ask(gateway.ports.http, open.host)).status).toBe(200);
  });

  test('a login is neither begun nor ended by what somebody makes up', async () => {
    for (const path of ['/job-login/start?to=x', '/job-login/callback?code=x&state=x'])
      expect((await ask(gateway.ports.http, '127.0.0.1', { path })).status).toBe(400);
    expect((await ask(gateway.ports.http, closed.host, { path: '/.delos/login?ticket=x' })).status).toBe(400);
    const headers = { cookie: 'delos-job=made-up' };
    expect((await ask(gateway.ports.http, closed.host, { headers })).status).toBe(401);
  });

  test('a login that was begun goes on while the secret of the router becomes another, until the former one is refused', async () => {
    const { keyFile } = router;
    const former = await readFile(keyFile, 'utf8');
    const next = 'another-key-of-this-test-alone-which-is-long-enough';
    /** Longer than the router goes by what it read last. */
    const seen = () => sleep(700);
    const begun = async (): Promise<string> => {
      const headers = { accept: 'text/html,*/*', 'sec-fetch-mode': 'navigate' };
      const { headers: answered } = await ask(gateway.ports.http, closed.host, { headers });
      const { pathname, search } = new URL(String(answered.location));
      return pathname + search;
    };
    const statusOf = async (path: string) => (await ask(gateway.ports.http, '127.0.0.1', { path })).status;
    const logins = [await begun()];
    await writeFile(`${keyFile}.next`, next);
    await seen();
    logins.push(await begun());
    await writeFile(`${keyFile}.former`, former);
    await writeFile(keyFile, next);
    await rm(`${keyFile}.next`);
    await seen();
    logins.push(await begun());
    expect(await Promise.all(logins.map(statusOf))).toEqual([302, 302, 302]);
    await rm(`${keyFile}.former`);
    await seen();
    expect(await Promise.all(logins.map(statusOf))).toEqual([400, 400, 302]);
  });
});

describe('a job is not handed', () => {
  test('a token of the platform, be it shown as it is or as a password; its own credentials it is', async () => {
    const token = await issuer.token('alice');
    const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
    const seen = async (host: string, authorization: string) =>
      headersSeen(await ask(gateway.ports.http, host, { headers: { authorization } })).get('authorization');
    expect(await seen(closed.host, `Bearer ${token}`)).toBeUndefined();
    // A visitor's mistake, which the job would have the token by.
    expect(await seen(open.host, `Bearer ${token}`)).toBeUndefined();
    expect(await seen(open.host, basic(`token:${token}`))).toBeUndefined();
    expect(await seen(open.host, basic('me:own'))).toBe(basic('me:own'));
    expect(await seen(open.host, 'token of-jupyter')).toBe('token of-jupyter');
  });

  test('cookies of the platform, whatever stands beside them', async () => {
    const cookie = 'a=1; delos-job=secret;b=2; __Host-delos-job=secret; DELOS-JOB-LOGIN=secret; c="x"';
    const seen = headersSeen(await ask(gateway.ports.http, open.host, { headers: { cookie } }));
    expect(seen.get('cookie')).toBe('a=1; b=2; c="x"');
    const only = await ask(gateway.ports.http, open.host, { headers: { cookie: 'delos-job=secret' } });
    expect(headersSeen(only).has('cookie')).toBe(false);
  });

  test('what a visitor says of where a request comes from', async () => {
    const headers = {
      'x-forwarded-for': '6.6.6.6',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-prefix': '/evil',
      'x-forwarded-user': 'admin',
      'x-real-ip': '6.6.6.6',
      x_forwarded_for: '6.6.6.6',
      forwarded: 'for=6.6.6.6',
      'x-original-url': '/admin',
    };
    const seen = [...headersSeen(await ask(gateway.ports.http, open.host, { headers }))];
    expect(seen.filter(([, value]) => /6\.6\.6\.6|evil|admin/.test(value))).toEqual([]);
    expect(Object.fromEntries(seen)).toMatchObject({
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': `${open.host}:${gateway.ports.http}`,
      host: `${open.host}:${gateway.ports.http}`,
    });
  });
});

describe('an answer of a job', () => {
  test('sets cookies for its own host alone, and none of ours', async () => {
    const { headers } = await ask(gateway.ports.http, open.host, { path: '/evil' });
    expect(headers['set-cookie']).toEqual(['plain=1; Path=/; HttpOnly', 'whole=1; Path=/', 'spaced=1;Path=/']);
    expect(headers['clear-site-data']).toBeUndefined();
    expect(headers['alt-svc']).toBeUndefined();
    expect(headers['origin-agent-cluster']).toBe('?1');
    expect(headers['access-control-allow-origin']).toBe('*');
  });

  test('comes with no early hints', async () => {
    const socket = connect(gateway.ports.http, '127.0.0.1');
    socket.write(`GET /evil HTTP/1.1\r\nHost: ${open.host}\r\nConnection: close\r\n\r\n`);
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
    });
    await once(socket, 'end');
    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text).not.toContain('early');
  });

  test('that never comes is told as the job’s', async () => {
    const { status, json } = await ask(gateway.ports.http, open.host, { path: '/break-off', method: 'POST' });
    expect({ status, code: json.code }).toEqual({ status: 502, code: 'ERR_JOB_BROKEN' });
  });
});

describe('nothing leads', () => {
  test.each([
    '/api/v1/config',
    '/auth/realms/delos/account',
    '/',
    '/internal/job-hosts/changes',
    '/job-login/start?to=x',
  ])('from the address of a job to the platform: %s is the job’s', async (path) => {
    const { json } = await ask(gateway.ports.http, open.host, { path });
    expect(json.url).toBe(path);
  });

  test.each(['/internal/job-hosts/changes', '/api/v1/../../internal/job-hosts/changes', '//internal/job-hosts/x'])(
    'from outside to what tells where jobs are: %s',
    async (path) => {
      expect((await ask(gateway.ports.http, '127.0.0.1', { path })).status).toBe(404);
    },
  );

  test.each(['.', 'a.b', 'xn--', 'job-1', '-', 'x'.repeat(64), 'open--one-0000000000', '127.0.0.1'])(
    'anywhere from a name that no job has: %s',
    async (label) => {
      const { status } = await ask(gateway.ports.http, hostOf(label));
      expect([400, 401, 404]).toContain(status);
    },
  );

  test('by a request in a request', async () => {
    const socket = connect(gateway.ports.http, '127.0.0.1');
    const inner = `GET /smuggled HTTP/1.1\r\nHost: ${closed.host}\r\n\r\n`;
    socket.write(
      `POST /outer HTTP/1.1\r\nHost: ${open.host}\r\nContent-Length: ${inner.length + 5}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${inner}`,
    );
    let text = '';
    socket.on('data', (data) => {
      text += data.toString();
    });
    await until('it is answered', 10, async () => (/HTTP\/1\.1 \d+/.test(text) ? true : undefined));
    socket.destroy();
    // Whatever is made of it, nobody got to the job that asks for a login.
    expect(text).not.toContain('"url":"/smuggled"');
  });
});

http2Suite(() => ({
  gateway,
  open: open.host,
  jobAt: async (port) => {
    const id = await newJob(api, 'alice', { http: { port, requires_auth: true } });
    await runs(api, id);
    return hostOf(id);
  },
  token: () => issuer.token('alice'),
}));

describe('what passes', () => {
  test('WebSockets, with a right', async () => {
    const url = `ws://127.0.0.1:${gateway.ports.http}/socket`;
    const open = (headers: Readonly<Record<string, string>>) =>
      new WebSocket(url, { headers: { host: `${closed.host}:${gateway.ports.http}`, ...headers } });
    const refused = open({});
    const [error] = await once(refused, 'error');
    expect(String(error)).toContain('401');
    const socket = open(await bearer('alice'));
    await once(socket, 'open');
    socket.send('there');
    expect(String((await once(socket, 'message'))[0])).toBe('there');
    socket.close();
  });

  test('changes of rights, within ten seconds', async () => {
    const headers = await bearer('rita');
    expect((await ask(gateway.ports.http, closed.host, { headers })).status).toBe(200);
    await database.db.deleteFrom('members').where('user_name', '=', 'rita').execute();
    await until('rita sees it no more', 15, async () =>
      (await ask(gateway.ports.http, closed.host, { headers })).status === 404 ? true : undefined,
    );
  });

  test('requests while the control API is away, to jobs that are known', async () => {
    const headers = await bearer('alice');
    expect((await ask(gateway.ports.http, closed.host, { headers })).status).toBe(200);
    await api.stop();
    expect((await ask(gateway.ports.http, closed.host, { headers })).status).toBe(200);
    expect((await ask(gateway.ports.http, open.host)).status).toBe(200);
    const { status, json } = await ask(gateway.ports.http, hostOf('job-00000000-0000-4000-8000-000000000001'));
    expect({ status, code: json.code }).toEqual({ status: 503, code: 'ERR_JOB_PLATFORM' });
    const metrics = await (await fetch(`http://127.0.0.1:${router.internalPort}/metrics`)).text();
    expect(metrics).toMatch(/delos_job_router_requests_total\{end="passed"\} [1-9]/);
    expect(metrics).toMatch(/delos_job_router_questions_total\{of="route",outcome="failed"\} [1-9]/);
  });
});
