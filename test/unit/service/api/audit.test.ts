import type { AuditEvent } from '@delos/audit';
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
  '%s %s by %s leaves its audit line and its record: who, what and how it was answered, without the query',
  async (method, url, user, expected) => {
    const lines: unknown[] = [];
    const records: AuditEvent[] = [];
    const log = pino({ base: null, timestamp: false }, { write: (line) => lines.push(JSON.parse(line)) });
    const app = Fastify();
    await app.register(
      async (scope) => {
        auditRequests(scope, { authenticate, requests, log, record: async (event) => records.push(event) }, lamps);
        scope.get('/:id', async () => 'on');
        scope.put('/:id', async (request, reply) => reply.code(request.url.includes('dark') ? 403 : 200).send('on'));
      },
      { prefix: lamps.prefix },
    );
    await app.inject({ method, url, headers: user === undefined ? {} : { authorization: user } });
    await app.close();
    expect(lines).toEqual(expected.map((line) => expect.objectContaining(line)));
    expect(records).toEqual(
      expected.map(({ audit, path, status, ...more }) => ({
        ...{ at: expect.any(Number), source: 'api', act: audit, status, request: expect.any(String) },
        outcome: status < 400 ? 'done' : 'refused',
        fields: { ...('user' in more ? { actor: more.user } : {}), address: '127.0.0.1', object: path },
      })),
    );
    expect(JSON.stringify([lines, records])).not.toContain('secret');
  },
);

test('a change whose record cannot be written is answered as one that failed', async () => {
  const app = Fastify();
  await app.register(
    async (scope) => {
      const record = async (): Promise<never> => Promise.reject(new Error('the disk is full'));
      auditRequests(scope, { authenticate, requests, log: pino({ level: 'silent' }), record }, lamps);
      scope.put('/:id', async (request, reply) => reply.code(request.url.includes('dark') ? 403 : 200).send('on'));
    },
    { prefix: lamps.prefix },
  );
  const answer = async (url: string) =>
    (await app.inject({ method: 'PUT', url, headers: { authorization: 'alice' } })).statusCode;
  expect([await answer('/lamps/a'), await answer('/lamps/dark')]).toEqual([500, 403]);
  await app.close();
});
