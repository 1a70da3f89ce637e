import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { JOB_LOGIN_PATH, namedJobLabel } from '@delos/core';
import { freePort } from '@delos/host';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { realmOf } from '../../../constructs/src/services/keycloak/realm.ts';
import { apoloClient } from '../../../peers/src/apolo.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { accountsOf } from '../../../runtime/service/src/db/users.ts';
import { convergeIdentity } from '../../../runtime/service/src/identity/index.ts';
import { Browser, type Page } from '../../support/browser.ts';
import { ask, type WebAnswer } from '../../support/edge/ask.ts';
import { startGateway, type TestGateway } from '../../support/edge/gateway.ts';
import {
  JOBS_DOMAIN,
  newJob,
  runs,
  startJobRouter,
  startWebJob,
  type TestJobRouter,
} from '../../support/edge/job-router.ts';
import { login, tokensOf, words } from '../../support/identity/login.ts';
import { startControlApi, TEST_CONFIG, type TestApi } from '../../support/service/control-api.ts';
import { startKeycloak, type TestKeycloak } from '../../support/service/keycloak.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/*
 * Jobs in a browser: the real gateway, router, control API, PostgreSQL and Keycloak. Then streams, uploads and a router that is
 * killed. The rules that need no Keycloak are in test/integration/service/edge/job-router.test.ts.
 */

const PASSWORDS = { admin: 'first-password-of-admin', alice: 'first-password-of-alice', bob: 'first-password-of-bob' };
const PAGE = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-site': 'none',
  'sec-fetch-dest': 'document',
};

let postgres: TestPostgres;
let keycloak: TestKeycloak;
let database: Database & { readonly name: string };
let api: TestApi;
let gateway: TestGateway;
let router: TestJobRouter;
let web: Awaited<ReturnType<typeof startWebJob>>;
let origin: string;
const hosts = { one: '', two: '', open: '' };
const ids: string[] = [];

beforeAll(async () => {
  [postgres, keycloak] = await Promise.all([startPostgres(), startKeycloak()]);
  database = await postgres.connect();
  await database.notifications.start();
  const realm = `${keycloak.url}/realms/delos`;
  const issuer = {
    issuer: realm,
    jwksUrl: `${realm}/protocol/openid-connect/certs`,
    // Passed on to `request`, which makes jobs below: the first login gives it.
    token: (user: string) => tokens.get(user) ?? Promise.reject(new Error(`${user} has not logged in`)),
    stop: async () => undefined,
  };
  const routerPort = await freePort();
  api = await startControlApi(database, issuer, TEST_CONFIG, 'default', { jobsDomain: JOBS_DOMAIN });
  gateway = await startGateway(
    { api: Number(new URL(api.url).port), identity: Number(new URL(keycloak.url).port) },
    { 'job-router.delos.svc.cluster.local:8080': `127.0.0.1:${routerPort}` },
  );
  origin = `http://127.0.0.1:${gateway.ports.http}`;
  const spec = realmOf(TEST_CONFIG, origin, [
    { service: 'job-router', title: 'Jobs', paths: [`${JOB_LOGIN_PATH}/callback`] },
  ]);
  const people = spec.users.filter(({ username }) => username in PASSWORDS);
  const secrets = { issuer: randomBytes(24).toString('hex'), passwords: PASSWORDS };
  await convergeIdentity(keycloak.admin, { ...spec, users: people }, secrets, accountsOf(database));
  router = await startJobRouter({ api: api.url, publicUrl: origin, issuer: realm, port: routerPort });
  const webPort = await freePort();
  web = await startWebJob(webPort);
  tokens.set('alice', aliceToken(realm));
  const job = async (name: string, login = true): Promise<string> => {
    const id = await newJob(api, 'alice', { name, http: { port: webPort, requires_auth: login } });
    await runs(api, id);
    ids.push(id);
    return `${namedJobLabel({ org: 'acme', project: 'one', name })}.${JOBS_DOMAIN}`;
  };
  Object.assign(hosts, { one: await job('first'), two: await job('second'), open: await job('third', false) });
});

afterAll(async () => {
  await web?.stop();
  await router?.stop();
  await gateway?.stop();
  await api?.stop();
  await database?.close();
  await Promise.all([postgres?.stop(), keycloak?.stop()]);
});

const tokens = new Map<string, Promise<string>>();

/** By the login of the official client. */
async function aliceToken(realm: string): Promise<string> {
  const { code, verifier, after } = await login(realm, 'alice', PASSWORDS.alice);
  expect(code, words(after)).not.toBe('');
  return (await tokensOf(realm, code, verifier)).access_token ?? '';
}

const cookiesOf = ({ headers }: WebAnswer): readonly string[] =>
  [headers['set-cookie'] ?? []].flat().filter((line) => !/Max-Age=0/.test(line));
const pairs = (lines: readonly string[]): string => lines.map((line) => line.split(';', 1)[0]).join('; ');
const get = (host: string, path: string, headers: Readonly<Record<string, string>> = {}): Promise<WebAnswer> =>
  ask(gateway.ports.http, host, { path, headers });

/** Opens a page of a job without a login, and goes on until it leads back to the job's host. */
async function toTicket(host: string, path: string, who: Browser, user?: 'alice' | 'bob') {
  const first = await get(host, path, PAGE);
  expect(first.status).toBe(302);
  const stop = `http://${host}:${gateway.ports.http}`;
  let page: Page = await who.open(String(first.headers.location), stop);
  if (user !== undefined) page = await who.submit(page, { username: user, password: PASSWORDS[user] }, stop);
  expect(page.url, words(page)).toContain(`${stop}/.delos/login?ticket=`);
  return { ticket: page.url.slice(stop.length), nonce: pairs(cookiesOf(first)) };
}

describe('a login by the browser', () => {
  const alice = new Browser();
  let session = '';

  test('leads to the very page, with a cookie of this host that no script reads', async () => {
    const { ticket, nonce } = await toTicket(hosts.one, '//evil.example/a?b=c', alice, 'alice');
    const entered = await get(hosts.one, ticket, { ...PAGE, cookie: nonce });
    expect(entered.status).toBe(302);
    expect(entered.headers.location).toBe(`http://${hosts.one}:${gateway.ports.http}//evil.example/a?b=c`);
    expect(entered.headers['referrer-policy']).toBe('no-referrer');
    expect(cookiesOf(entered)).toEqual([
      expect.stringMatching(/^delos-job=[\w-]+; Path=\/; Max-Age=43200; HttpOnly; SameSite=Lax$/),
    ]);
    session = pairs(cookiesOf(entered));
    const page = await get(hosts.one, '/a', { ...PAGE, cookie: `${session}; own=1` });
    expect(page.json).toMatchObject({ url: '/a' });
    expect(new Map(page.json.headers).get('cookie')).toBe('own=1');
    expect(new Map(page.json.headers).has('authorization')).toBe(false);
  });

  test('is of this job alone: another one asks anew, and Keycloak knows the person', async () => {
    expect((await get(hosts.two, '/', { cookie: session })).status).toBe(401);
    const { ticket, nonce } = await toTicket(hosts.two, '/', alice);
    expect((await get(hosts.one, ticket, { cookie: nonce })).status).toBe(400);
    expect((await get(hosts.two, ticket, { cookie: nonce })).status).toBe(302);
  });

  test('ends in the browser that began it, whoever is led to its end', async () => {
    const { ticket, nonce } = await toTicket(hosts.one, '/', alice);
    expect((await get(hosts.one, ticket)).status).toBe(400);
    const other = pairs(cookiesOf(await get(hosts.one, '/', PAGE)));
    expect((await get(hosts.one, ticket, { cookie: other })).status).toBe(400);
    // Two, of which one was planted by a page that shares the domain.
    expect((await get(hosts.one, ticket, { cookie: `${other}; ${nonce}` })).status).toBe(400);
    const begun = String((await get(hosts.one, '/', PAGE)).headers.location);
    const state = String(
      (await ask(gateway.ports.http, '127.0.0.1', { path: begun.slice(origin.length) })).headers.location,
    );
    const stolen = `${JOB_LOGIN_PATH}/callback?code=x&state=${new URL(state).searchParams.get('state')}`;
    expect((await ask(gateway.ports.http, '127.0.0.1', { path: stolen })).status).toBe(400);
  });

  test('of somebody who may not read the job shows no job', async () => {
    const { ticket, nonce } = await toTicket(hosts.one, '/', new Browser(), 'bob');
    const cookie = pairs(cookiesOf(await get(hosts.one, ticket, { cookie: nonce })));
    const page = await get(hosts.one, '/', { ...PAGE, cookie });
    expect(page.status).toBe(404);
    expect(page.text).toContain('There is no job at this address, or you may not read it');
  });

  test.each([
    ['a form of another job', 'POST', { 'sec-fetch-site': 'same-site', origin: `http://second.${JOBS_DOMAIN}` }, 403],
    ['a script of another job', 'GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'cors' }, 403],
    ['an image in another job', 'GET', { 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'image' }, 403],
    ['a frame in another job', 'GET', { ...PAGE, 'sec-fetch-site': 'same-site', 'sec-fetch-dest': 'iframe' }, 403],
    ['an old browser with a form', 'POST', { origin: 'null' }, 403],
    ['a link in another job', 'GET', { ...PAGE, 'sec-fetch-site': 'same-site' }, 200],
    ['a script of its own', 'POST', { 'sec-fetch-site': 'same-origin' }, 200],
  ])('%s that asks with it is answered %s %o %i', async (_name, method, headers, status) => {
    const answer = await ask(gateway.ports.http, hosts.one, { method, headers: { ...headers, cookie: session } });
    expect(answer.status).toBe(status);
  });

  test('opens WebSockets of its own pages, and of no others', async () => {
    const open = (from: string): WebSocket =>
      new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/`, {
        headers: { host: `${hosts.one}:${gateway.ports.http}`, cookie: session, origin: from },
      });
    const [error] = await once(open(`http://${hosts.two}:${gateway.ports.http}`), 'error');
    expect(String(error)).toContain('403');
    const own = open(`http://${hosts.one}:${gateway.ports.http}`);
    await once(own, 'open');
    own.close();
  });

  test('holds where the router is killed: another one opens what it has sealed', async () => {
    await router.replace();
    expect((await get(hosts.one, '/', { cookie: session })).status).toBe(200);
  });
});

test('the official client opens the address of a job, by its id and by its name', async () => {
  const client = await apoloClient();
  await client.ok(['config', 'login-with-token', (await tokens.get('alice')) ?? '', `${api.url}/api/v1`]);
  const url = `http://${hosts.one}:${new URL(api.url).port}`;
  for (const job of [ids[0] ?? '', 'first']) {
    const shown = (await client.ok(['job', 'browse', job])).replaceAll(/\s+/g, '');
    expect(shown).toContain(`Browsingjob,pleaseopen:${url}`);
  }
  await client.close();
});

describe('under load', () => {
  test('events of a job come as it sends them, for as long as it does', async () => {
    const events: string[] = [];
    const sent = request(
      { host: '127.0.0.1', port: gateway.ports.http, path: '/sse', headers: { host: hosts.open } },
      (answer) => answer.on('data', (data: Buffer) => events.push(data.toString())),
    );
    sent.on('error', () => undefined);
    sent.end();
    // Longer than the gateway waits for a body that stalls.
    await until('events came for half a minute, one by one', 120, (last) => {
      last(events.length);
      return events.length > 600 ? true : undefined;
    });
    sent.destroy();
  });

  test('an upload of 512 MiB arrives whole, in the memory that the router has', async () => {
    const part = randomBytes(2 ** 20);
    const hash = createHash('sha256');
    for (let nth = 0; nth < 512; nth += 1) hash.update(part);
    const answer = await new Promise<string>((resolve, reject) => {
      const sent = request(
        {
          ...{ host: '127.0.0.1', port: gateway.ports.http, path: '/upload', method: 'POST' },
          headers: { host: hosts.open, 'content-length': String(512 * 2 ** 20) },
        },
        (got) => {
          let text = '';
          got.on('data', (data: Buffer) => {
            text += data.toString();
          });
          got.on('end', () => resolve(text));
        },
      );
      sent.on('error', reject);
      let left = 512;
      const more = (): void => {
        while (left > 0) {
          left -= 1;
          if (!sent.write(part)) return void sent.once('drain', more);
        }
        sent.end();
      };
      more();
    });
    expect(JSON.parse(answer)).toMatchObject({ size: 512 * 2 ** 20, digest: hash.digest('hex') });
    expect(memory()).toBeLessThan(96);
  });

  test('two hundred WebSockets of a job are open at once, and the next one is refused', async () => {
    const open = (): WebSocket =>
      new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/`, { headers: { host: hosts.open } });
    const sockets = await Promise.all(
      Array.from({ length: 200 }, async () => {
        const socket = open();
        await once(socket, 'open');
        return socket;
      }),
    );
    const [error] = await once(open(), 'error');
    expect(String(error)).toContain('503');
    const echoed = sockets.map(async (socket, nth) => {
      socket.send(String(nth));
      return String((await once(socket, 'message'))[0]);
    });
    expect(await Promise.all(echoed)).toEqual(sockets.map((_, nth) => String(nth)));
    expect(memory()).toBeLessThan(96);
    for (const socket of sockets) socket.terminate();
    await until('a request finds room again', 20, async () =>
      (await get(hosts.open, '/')).status === 200 ? true : undefined,
    );
  });

  test('a router that is killed ends what passes through it, and what comes next is answered', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.ports.http}/`, { headers: { host: hosts.open } });
    await once(socket, 'open');
    const closed = once(socket, 'close');
    await router.replace();
    await closed;
    expect((await get(hosts.open, '/')).status).toBe(200);
  });
});

/** MiB of the router's own that are in memory. */
function memory(): number {
  const status = readFileSync(`/proc/${router.pid()}/status`, 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}
