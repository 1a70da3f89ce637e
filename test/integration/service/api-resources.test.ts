import { DelosError, type Right } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Caller } from '../../../runtime/service/src/api/deps.ts';
import type { Resource } from '../../../runtime/service/src/api/resource.ts';
import { RESOURCES } from '../../../runtime/service/src/api/resources.ts';
import { authorize, type ProjectOf } from '../../../runtime/service/src/api/rights.ts';
import { type ObjectStream, objectStreams } from '../../../runtime/service/src/api/stream.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { liveSecret } from '../../../runtime/service/src/live-secret.ts';
import { type TestObjectStorage, testObjectStorage } from '../../support/objects/object-storage.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { routesOf } from '../../support/service/routes-of.ts';

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

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  storage = await testObjectStorage([]);
  // Search in logs and files are there too; nobody of these tests gets as far as what has them.
  api = await startControlApi(database, issuer, undefined, undefined, {
    logSearchUrl: 'http://127.0.0.1:1',
    filesUrl: 'http://127.0.0.1:1',
    buckets: { url: storage.url, signingKey: liveSecret(storage.projectsFile), perProject: 50 },
  });
  smaller = await startControlApi(database, issuer);
  larger = await startControlApi(database, issuer, undefined, undefined, { resources: { ...RESOURCES, buckets } });
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

test.each(ROUTES.flat().filter(({ resource }) => resource.anonymous !== true))(
  '$method $path refuses whoever has no token',
  async ({ method, path }) => {
    for (const authorization of [undefined, 'Bearer nonsense']) {
      const headers = authorization === undefined ? undefined : { authorization };
      const response = await fetch(`${api.url}${path.replace('*', 'x')}`, { method, ...(headers && { headers }) });
      expect(response.status).toBe(401);
      expect(await response.json()).toMatchObject({ code: 'ERR_UNAUTHENTICATED' });
    }
  },
);

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

  test.each(LIST.flatMap(({ prefix, streams = [] }) => streams.map(({ path }) => prefix + path)))(
    '%s refuses whoever has no token',
    async (path) => {
      expect(await stream(api, path.replace('?', ''), undefined)).toBe(401);
    },
  );
});

describe('an object of another project', () => {
  type Found = { [N in keyof typeof RESOURCES]: (typeof RESOURCES)[N] extends { find: unknown } ? N : never };
  /** How to make an object of each resource that has some, as alice in acme/one. */
  const MAKE: Readonly<Record<Found[keyof Found], () => Promise<string>>> = {
    jobs: async () => {
      const { json } = await api.request('alice', 'POST', '/jobs?from_preset', {
        preset_name: 'cpu-small',
        org_name: 'acme',
        project_name: 'one',
        image: 'ubuntu:24.04',
        pass_config: false,
      });
      return json.id;
    },
    disks: async () => {
      const request = { storage: 2 ** 20, life_span: null, name: null, org_name: 'acme', project_name: 'one' };
      return (await api.request('alice', 'POST', '/disk', request)).json.id;
    },
    buckets: async () => {
      const request = { name: null, org_name: 'acme', project_name: 'one' };
      return (await api.request('alice', 'POST', '/buckets/buckets', request)).json.id;
    },
    secrets: async () => {
      const request = { key: 'mine', value: 'eA==', org_name: 'acme', project_name: 'one' };
      return (await api.request('alice', 'POST', '/secrets', request)).json.key;
    },
    'flow-projects': () => flow(),
    'flow-live-jobs': async () => post('live_jobs', { project_id: await flow(), yaml_id: 'a', multi: false, tags: [] }),
    'flow-bakes': () => bake(),
    'flow-attempts': () => attempt(),
    'flow-tasks': async () => {
      const statuses = [{ created_at: new Date().toISOString(), status: 'pending' }];
      return post('tasks', { attempt_id: await attempt(), yaml_id: 'a', statuses });
    },
    'flow-cache': async () => {
      const key = { project_id: await flow(), batch: 'train', task_id: 'a', key: 'k' };
      return post('cache_entries', { ...key, outputs: {}, state: {} });
    },
    'flow-config-files': async () => configFile(await bake()),
    'flow-bake-images': async () =>
      post('bake_images', { bake_id: await bake(), ref: 'image:a', yaml_defs: ['a'], status: 'pending' }),
  };
  let flows = 0;
  const post = async (path: string, body: object): Promise<string> =>
    (await api.request('alice', 'POST', `/flow/${path}`, body)).json.id;
  const flow = (): Promise<string> => {
    flows += 1;
    return post('projects', { name: `flow${flows}`, org_name: 'acme', project_name: 'one', cluster: 'default' });
  };
  const bake = async (): Promise<string> => post('bakes', { project_id: await flow(), batch: 'train', graphs: {} });
  const configFile = (of: string) => post('config_files', { bake_id: of, filename: '/flow/train.yml', content: '' });
  const attempt = async (): Promise<string> => {
    const of = await bake();
    const meta = { workspace: '/flow', flow_config_id: await configFile(of), action_config_ids: {} };
    return post('attempts', { bake_id: of, number: 1, result: 'pending', configs_meta: meta });
  };
  const ofObjects = ROUTES.flat().filter(
    ({ path, resource }) =>
      resource.name in MAKE &&
      path.includes('/:id') &&
      // A person's own: of no project.
      !path.includes('/persistent_credentials/'),
  );
  const make = (name: string): Promise<string> => MAKE[name as keyof typeof MAKE]();
  const BODY = { additional_max_run_time_minutes: 1, public: false, key: 'key' };
  const ask = (user: string, { method, path }: { readonly method: string; readonly path: string }, id: string) =>
    api.request(user, method, path.replace('/api/v1', '').replace(':id', id), method === 'GET' ? undefined : BODY);

  test.each(ofObjects)('is to $method $path as one that does not exist', async (route) => {
    const id = await make(route.resource.name);
    const none = id.replace(/[0-9a-f]{4}/g, '0000');
    const [other, absent] = [await ask('bob', route, id), await ask('bob', route, none)];
    expect(other.status).toBeGreaterThanOrEqual(400);
    expect([other.status, other.text]).toEqual([absent.status, absent.text.replaceAll(none, id)]);
    const own = await ask('alice', route, id);
    expect(own.status).toBeLessThan(300);
  });

  const changes = ({ method, path, resource: { prefix, asks = [] } }: (typeof ofObjects)[number]): boolean =>
    method !== 'GET' && !asks.includes(`${method} ${path.slice(prefix.length)}`);
  test.each(ofObjects.filter(changes))('that a caller may only read is not changed by $method $path', async (route) => {
    const id = await make(route.resource.name);
    const { status, json } = await ask('rita', route, id);
    expect([status, json.code]).toEqual([403, 'ERR_FORBIDDEN']);
  });
});

test.each([
  ['a member', false, 'writer', 'write', 'given'],
  ['a reader', false, 'reader', 'read', 'given'],
  ['a reader who wants to change it', false, 'reader', 'write', 'ERR_FORBIDDEN'],
  ['a stranger', false, undefined, 'read', 'ERR_NOT_FOUND'],
  ['the administrator', true, undefined, 'write', 'given'],
] as const)('%s of its project is answered as the one rule says', (_who, admin, role, right, expected) => {
  const roles = new Map(role === undefined ? [] : [['acme/one', role] as const]);
  const caller = { id: 1, user: 'alice', admin, roles };
  const answer = (): string => {
    try {
      authorize(caller, { org: 'acme', project: 'one' }, right, () => new DelosError('ERR_NOT_FOUND', 'none'));
      return 'given';
    } catch (error) {
      return error instanceof DelosError ? error.code : String(error);
    }
  };
  expect(answer()).toBe(expected);
});
