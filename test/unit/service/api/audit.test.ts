import { parseConfig } from '@delos/constructs';
import { DelosError } from '@delos/core';
import Fastify from 'fastify';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { auditRequests } from '../../../../runtime/service/src/api/audit.ts';
import { NO_CACHE } from '../../../../runtime/service/src/api/cache/cache.ts';
import type { ApiDeps } from '../../../../runtime/service/src/api/deps.ts';
import { RequestLimits } from '../../../../runtime/service/src/api/limits/request-limits.ts';
import type { Resource } from '../../../../runtime/service/src/api/resource.ts';

const lamps: Resource = {
  name: 'lamps',
  title: 'lamps',
  prefix: '/lamps',
  tables: [],
  routes: () => undefined,
  audit: { 'PUT /:id': 'lamp.light' },
};

const authenticate: ApiDeps['authenticate'] = async (header) => {
  if (header === undefined) throw new DelosError('ERR_UNAUTHENTICATED', 'no token');
  return { id: 1, user: header, admin: false, roles: new Map() };
};

const requests = new RequestLimits(parseConfig('', 'delos.yaml').requests, NO_CACHE);

test.each([
  ['PUT', '/lamps/a?secret=1', 'alice', [{ audit: 'lamp.light', user: 'alice', path: '/lamps/a', status: 200 }]],
  ['PUT', '/lamps/dark', 'alice', [{ audit: 'lamp.light', user: 'alice', path: '/lamps/dark', status: 403 }]],
  ['PUT', '/lamps/a', undefined, [{ audit: 'lamp.light', path: '/lamps/a', status: 200 }]],
  ['GET', '/lamps/a', 'alice', []],
] as const)(
  '%s %s by %s leaves its audit line: who, what and how it was answered, without the query',
  async (method, url, user, expected) => {
    const lines: unknown[] = [];
    const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(JSON.parse(line)) });
    const app = Fastify();
    await app.register(
      async (scope) => {
        auditRequests(scope, { authenticate, requests, log }, lamps);
        scope.get('/:id', async () => 'on');
        scope.put('/:id', async (request, reply) => reply.code(request.url.includes('dark') ? 403 : 200).send('on'));
      },
      { prefix: lamps.prefix },
    );
    await app.inject({ method, url, headers: user === undefined ? {} : { authorization: user } });
    await app.close();
    expect(lines).toEqual(expected.map((line) => expect.objectContaining(line)));
    expect(JSON.stringify(lines)).not.toContain('secret');
  },
);
