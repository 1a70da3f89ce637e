import { DelosError, platformConfig, type Right } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { RULES, type Rules } from '../../../runtime/service/src/api/authorization/rules.ts';
import type { Caller } from '../../../runtime/service/src/api/deps.ts';
import type { Resource } from '../../../runtime/service/src/api/resource.ts';
import { RESOURCES } from '../../../runtime/service/src/api/resources.ts';
import { authorize, type ProjectOf } from '../../../runtime/service/src/api/rights.ts';
import { type ObjectStream, objectStreams } from '../../../runtime/service/src/api/stream.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { liveSecret } from '../../../runtime/service/src/live-secret.ts';
import { type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import {
  startControlApi,
  startIssuer,
  TEST_CONFIG,
  type TestApi,
  type TestIssuer,
} from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { routesOf } from '../../support/service/routes-of.ts';
import { answerOf, EACH_ENDPOINT, type Made, makers } from '../../support/tenancy/each-endpoint.ts';

/* Laws of every resource in the list, and of one that is added to it, through the public listener. */

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let storage: TestObjectStorage;
let api: TestApi;
let smaller: TestApi;
let larger: TestApi;

/** The one bucket that there is. */
const findBucket = async (_deps: unknown, caller: Caller, id: string, right: Right) =>
  authorize(
    caller,
    id === 'bucket-1' ? { id, org: 'acme', project: 'one' } : undefined,
    right,
    () => new DelosError('ERR_NOT_FOUND', `there is no bucket ${id}`),
  );
const echo: ObjectStream<{ readonly id: string } & ProjectOf>['open'] = (_deps, { id }, { params, query }) => {
  if (params.part === 'none') throw new DelosError('ERR_REQUEST', 'it has no such part');
  const first = `${id} ${params.part ?? 'whole'} ${query.get('as') ?? ''}`;
  return { accept: (socket) => socket.send(first) };
};

/** As of every test, with a manager of alice's project, and an administrator of each organization. */
const CONFIG = platformConfig.parse({
  ...TEST_CONFIG,
  users: [...TEST_CONFIG.users, { name: 'mona' }, { name: 'olga' }, { name: 'orla' }],
  organizations: TEST_CONFIG.organizations.map((org) => ({
    ...org,
    members: org.name === 'acme' ? [{ user: 'orla', role: 'admin' }] : [{ user: 'olga', role: 'admin' }],
    projects: org.projects.map((project) => ({
      ...project,
      members: [
        ...project.members,
        ...(project.name === 'one' ? [{ user: 'mona', role: 'manager' }] : []),
        ...(project.name === 'hidden' ? [{ user: 'olga', role: 'admin' }] : []),
      ],
    })),
  })),
});

/** A resource as somebody adds it: its routes and streams check no token themselves. */
const buckets: Resource = {
  name: 'buckets',
  title: 'buckets',
  prefix: '/api/v1/buckets',
  config: [
    { in: 'cluster', key: 'buckets_url' },
    { in: 'platform', key: 'new_url', path: '/api/v1/buckets/new' },
  ],
  tables: [],
  routes: (app) => {
    app.get('', async () => [{ id: 'bucket-1' }]);
  },
  streams: objectStreams(findBucket, [
    { path: '/:id/read', right: 'read', open: echo },
    { path: '/:id/write/:part?', right: 'write', protocol: 'blocks', open: echo },
  ]),
  audit: {},
};
const BUCKET_RULES = [
  ['GET ', 'bucket.list', 'blob', 'visible'],
  ['WS /:id/read', 'bucket.read', 'blob', 'read'],
  ['WS /:id/write/:part?', 'bucket.write', 'blob', 'write'],
] as const;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  storage = await testObjectStorage([]);
  // Search in logs and files are there too; nobody of these tests gets as far as what has them.
  api = await startControlApi(database, issuer, CONFIG, undefined, {
    jobsDomain: 'jobs.example',
    logSearchUrl: 'http://127.0.0.1:1',
    filesUrl: 'http://127.0.0.1:1',
    buckets: { url: storage.url, signingKey: liveSecret(storage.projectsFile), perProject: 50 },
  });
  smaller = await startControlApi(database, issuer, CONFIG);
  const rules: Rules = { ...RULES, buckets: BUCKET_RULES };
  larger = await startControlApi(database, issuer, CONFIG, undefined, { resources: { ...RESOURCES, buckets }, rules });
});
afterAll(async () => {
  await larger?.stop();
  await smaller?.stop();
  await api?.stop();
  await storage?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});

const LIST: readonly Resource[] = Object.values(RESOURCES);
const ROUTES = await Promise.all(
  LIST.map(async (resource) =>
    (await routesOf(resource)).map(({ method, url }) => ({ method, path: resource.prefix + url, resource })),
  ),
);

describe('a resource that is added to the list', () => {
  test('is served, has its address in /config, and is no longer absent', async () => {
    const before = await fetch(`${smaller.url}/api/v1/buckets`);
    expect(before.status).toBe(501);
    const { status, json } = await larger.request('alice', 'GET', '/buckets');
    expect([status, json]).toEqual([200, [{ id: 'bucket-1' }]]);
    const config = await larger.request('alice', 'GET', '/config');
    expect(config.json.new_url).toBe(`${larger.url}/api/v1/buckets/new`);
    expect(config.json.clusters[0].buckets_url).toBe(`${larger.url}/api/v1/buckets`);
    expect((await smaller.request('alice', 'GET', '/config')).json.new_url).toBeUndefined();
  });

  test('asks for a token, though its routes do not', async () => {
    expect((await fetch(`${larger.url}/api/v1/buckets`)).status).toBe(401);
  });
});

/** @returns what the stream says first and the protocol that it chose, or the status of the refusal */
async function stream(
  at: TestApi,
  path: string,
  user: string | undefined,
  offered: readonly string[] = [],
): Promise<number | readonly [string, string]> {
  const headers = user === undefined ? {} : { authorization: `Bearer ${await issuer.token(user)}` };
  const socket = new WebSocket(at.url.replace('http', 'ws') + path, [...offered], { headers });
  return new Promise((resolve, reject) => {
    socket.on('message', (data: Buffer) => {
      resolve([data.toString('utf8'), socket.protocol]);
      socket.terminate();
    });
    socket.on('unexpected-response', (_request, response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    socket.on('error', reject);
  });
}

describe('a stream that a resource lists', () => {
  test.each([
    ['its reader', 'rita', 'bucket-1/read', ['bucket-1 whole ', '']],
    ['its reader, with a slash at the end', 'rita', 'bucket-1/read/', ['bucket-1 whole ', '']],
    ['its writer', 'alice', 'bucket-1/write/first?as=text', ['bucket-1 first text', '']],
    ['its writer, who leaves out what may be left out', 'alice', 'bucket-1/write', ['bucket-1 whole ', '']],
    ['its writer, in characters that are encoded', 'alice', '%62ucket-1/write/%C3%A4', ['bucket-1 ä ', '']],
    ['a reader who wants to write', 'rita', 'bucket-1/write', 403],
    ['a stranger', 'bob', 'bucket-1/read', 404],
    ['whoever asks for an object that does not exist', 'alice', 'bucket-2/read', 404],
    ['nobody', undefined, 'bucket-1/read', 401],
    ['nobody, of an object that does not exist', undefined, 'bucket-2/read', 401],
    ['what it refuses itself', 'alice', 'bucket-1/write/none', 400],
    ['a path that no stream has', 'alice', 'bucket-1/read/more', 404],
    ['text that is not UTF-8', 'alice', '%ff/read', 400],
  ])('answers %s', async (_who, user, path, answer) => {
    expect(await stream(larger, `/api/v1/buckets/${path}`, user)).toEqual(answer);
  });

  test('is part of no release that lacks the resource', async () => {
    expect(await stream(smaller, '/api/v1/buckets/bucket-1/read', 'rita')).toBe(501);
  });

  test('chooses its own protocol where it is offered, and no other', async () => {
    const offered = ['bytes', 'blocks'];
    expect(await stream(larger, '/api/v1/buckets/bucket-1/write', 'alice', offered)).toEqual([
      'bucket-1 whole ',
      'blocks',
    ]);
  });
});

describe('the table of rights', () => {
  const at = { token: (user: string) => issuer.token(user), url: () => api.url };
  /** Another name of the same form, which nothing has. */
  const none = (id: string): string => (/[0-9a-f]{4}-/.test(id) ? id.replace(/[0-9a-f]{4}/g, '0000') : `no${id}`);
  const strangers = ['bob', 'olga', 'noel'];
  const make = async (of: string | undefined): Promise<Made> =>
    (await makers(api)[of ?? '']?.()) ?? { id: 'acme', parent: '' };
  const lines = (...needs: readonly string[]) => EACH_ENDPOINT.filter((each) => needs.includes(each.needs));

  test('has a line for each endpoint of the OpenAPI document and each WebSocket, and no other', async () => {
    const { paths } = (await api.request('alice', 'GET', '/openapi.json')).json;
    const described = Object.entries<object>(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(
        (method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1').replace('{*}', '*')}`,
      ),
    );
    const streams = LIST.flatMap(({ prefix, streams: all = [] }) => all.map(({ path }) => `WS ${prefix}${path}`));
    const listed = new Set(
      EACH_ENDPOINT.map(({ resource, endpoint }) => {
        const [method, url = ''] = endpoint.split(' ');
        return `${method} ${RESOURCES[resource as keyof typeof RESOURCES].prefix}${url}`;
      }),
    );
    // Asked by whoever wants to know whether the listener is there.
    expect([...described, ...streams].filter((each) => !listed.has(each.replace(/\/$/, '')))).toEqual([
      'GET /api/v1/ping',
    ]);
    const routes = ROUTES.flat().map(({ method, path }) => `${method} ${path}`);
    expect([...listed].toSorted()).toEqual([...new Set([...routes, ...streams])].toSorted());
  });

  test('stops a listener that serves an endpoint without a line', async () => {
    const more = { resources: { ...RESOURCES, buckets } };
    await expect(startControlApi(database, issuer, CONFIG, undefined, more)).rejects.toThrow(
      '"GET " of resource buckets has no line',
    );
  });

  test.each(EACH_ENDPOINT.filter(({ needs }) => !['anyone', 'credential'].includes(needs)))(
    '$resource $endpoint: nobody is refused',
    async (line) => {
      const { status } = await answerOf(at, undefined, line, line.ask({ id: 'none', parent: 'none' }));
      expect(status).toBe(401);
    },
  );

  test.each(lines('read', 'write'))('$resource $endpoint: who $needs, and nobody of elsewhere', async (line) => {
    const made = await make(line.of);
    const absent = { id: none(made.id), parent: made.parent === '' ? '' : none(made.parent) };
    const away = line.ask(absent);
    for (const user of strangers) {
      const other = await answerOf(at, user, line, line.ask(made));
      expect(other.status, user).toBeGreaterThanOrEqual(400);
      // As one that does not exist, or, where a new thing is to be in the project, as a project that does not.
      const same = await answerOf(at, user, line, away);
      const text = same.text
        .replaceAll(absent.id, made.id)
        .replaceAll(absent.parent || absent.id, made.parent || made.id);
      expect([other.status, other.text], user).toEqual([same.status, text]);
    }
    const reader = await answerOf(at, 'rita', line, line.ask(made));
    const unknown = await answerOf(at, 'rita', line, away);
    if (line.needs === 'write') {
      expect([reader.status, line.method === 'WS' || reader.code], reader.text).toEqual([
        403,
        line.method === 'WS' || 'ERR_FORBIDDEN',
      ]);
    } else if (line.method !== 'WS') expect(reader.text).not.toEqual(unknown.text.replaceAll(absent.id, made.id));
    const writer = await answerOf(at, 'alice', line, line.ask(made));
    // A value of a secret is given to jobs alone; a job that waits has no container yet, nor is there a registry to save it to.
    const least = line.method === 'WS' ? 410 : line.endpoint === 'POST /:id/save' ? 501 : 300;
    const done = line.resource === 'secrets' && line.method === 'GET' ? 403 : least;
    expect(writer.status, writer.text).toBeLessThanOrEqual(done);
  });

  test.each(lines('visible', 'owner'))('$resource $endpoint: only what one may see', async (line) => {
    const made = await make(line.of);
    const { marker, ...asked } = line.ask(made);
    const owner = await answerOf(at, 'alice', line, asked);
    const others = line.needs === 'owner' ? [...strangers, 'rita', 'mona'] : strangers;
    const answers = await Promise.all(others.map((user) => answerOf(at, user, line, asked)));
    for (const { status, text } of answers)
      expect(status >= 400 || !text.includes(marker ?? '"acme"'), text).toBe(true);
    if (marker !== undefined) {
      expect(owner.status, owner.text).toBeLessThan(300);
      if (line.method === 'GET') expect(owner.text).toContain(marker);
    } else expect(owner.text).not.toBe(answers[0]?.text);
  });

  /** What is in no file. */
  const GIVEN = /^(credits|audit) |\/balance$|\/users\/:user\/quota$/;

  test.each(lines('manage', 'people', 'organization', 'platform'))('$resource $endpoint: who $needs', async (line) => {
    const asked = line.ask({ id: 'none', parent: 'none' });
    const may = { manage: ['mona', 'orla'], people: ['orla'], organization: ['orla'] }[line.needs] ?? [];
    for (const user of [...strangers, 'rita', 'alice', 'mona', 'orla'].filter((each) => !may.includes(each))) {
      const { status, code } = await answerOf(at, user, line, asked);
      const hidden = line.needs !== 'platform' && strangers.includes(user);
      expect([status, code], user).toEqual(hidden ? [404, 'ERR_NOT_FOUND'] : [403, 'ERR_FORBIDDEN']);
    }
    // All of it is in delos.yaml.
    for (const user of [...may, 'admin']) {
      const { status, text } = await answerOf(at, user, line, asked);
      if (GIVEN.test(`${line.resource} ${line.endpoint}`)) expect(status, text).toBeLessThan(300);
      else
        expect([status, text], user).toEqual([
          409,
          expect.stringMatching(/is declared in delos.yaml|is there already/),
        ]);
    }
  });

  test.each(lines('share'))('$resource $endpoint: who $needs', async (line) => {
    const asked = line.ask(await make(line.of));
    for (const user of [...strangers, 'rita'].filter((each) => line.method === 'POST' || each !== 'bob')) {
      const { status, text } = await answerOf(at, user, line, asked);
      expect([403, 404], text).toContain(status);
      expect(text).not.toContain('was given nothing');
    }
    for (const user of ['alice', 'mona', 'orla', 'admin']) {
      const { status, text } = await answerOf(at, user, line, asked);
      expect([201, 404].includes(status) && (status === 201 || text.includes('was given nothing')), text).toBe(true);
    }
  });

  test.each(lines('member', 'self'))('$resource $endpoint: $needs', async (line) => {
    const made = { id: 'none', parent: 'none' };
    for (const user of line.needs === 'self' ? [...strangers, 'rita'] : strangers) {
      const { status, text } = await answerOf(at, user, line, line.ask(made));
      expect([403, 404], text).toContain(status);
      expect(text).not.toContain('rita"');
    }
    expect((await answerOf(at, 'alice', line, line.ask(made))).status).toBeLessThan(300);
  });
});
