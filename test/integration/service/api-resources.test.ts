import { DelosError } from '@delos/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Resource } from '../../../runtime/service/src/api/resource.ts';
import { RESOURCES } from '../../../runtime/service/src/api/resources.ts';
import { authorize } from '../../../runtime/service/src/api/rights.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../support/service/control-api.ts';
import { startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { routesOf } from '../../support/service/routes-of.ts';

/* Laws of every resource in the list, and of one that is added to it, through the public listener. */

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let api: TestApi;
let larger: TestApi;

/** A resource as somebody adds it: its routes check no token themselves. */
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
  audit: {},
};

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  api = await startControlApi(database, issuer);
  larger = await startControlApi(database, issuer, undefined, undefined, { resources: { ...RESOURCES, buckets } });
});
afterAll(async () => {
  await larger?.stop();
  await api?.stop();
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
    const before = await fetch(`${api.url}/api/v1/buckets`);
    expect(before.status).toBe(501);
    const { status, json } = await larger.request('alice', 'GET', '/buckets');
    expect([status, json]).toEqual([200, [{ id: 'bucket-1' }]]);
    const config = await larger.request('alice', 'GET', '/config');
    expect(config.json.new_url).toBe(`${larger.url}/api/v1/buckets/new`);
    expect(config.json.clusters[0].buckets_url).toBe(`${larger.url}/api/v1/buckets`);
    expect((await api.request('alice', 'GET', '/config')).json.new_url).toBeUndefined();
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
  };
  const ofObjects = ROUTES.flat().filter(({ path, resource }) => resource.name in MAKE && path.includes('/:id'));
  const make = (name: string): Promise<string> => MAKE[name as keyof typeof MAKE]();
  const BODY = { additional_max_run_time_minutes: 1 };
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

  test.each(ofObjects.filter(({ method }) => method !== 'GET'))(
    'that a caller may only read is not changed by $method $path',
    async (route) => {
      const id = await make(route.resource.name);
      const { status, json } = await ask('rita', route, id);
      expect([status, json.code]).toEqual([403, 'ERR_FORBIDDEN']);
    },
  );
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
