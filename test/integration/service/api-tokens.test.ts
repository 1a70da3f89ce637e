import { once } from 'node:events';
import { parseConfig } from '@delos/constructs';
import { AGENT_PREFIX } from '@delos/core';
import Fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type AgentsPart, agentRoutes } from '../../../runtime/service/src/api/agents/index.ts';
import { NO_CACHE } from '../../../runtime/service/src/api/cache/cache.ts';
import { RequestLimits } from '../../../runtime/service/src/api/limits/request-limits.ts';
import { MOST, RequestBudget } from '../../../runtime/service/src/api/request-budget.ts';
import { RESOURCES } from '../../../runtime/service/src/api/resources.ts';
import type { Database } from '../../../runtime/service/src/db/database.ts';
import { imageSource } from '../../../runtime/service/src/image-source.ts';
import { PostgresLogStore } from '../../../runtime/service/src/logs/archive.ts';
import { quiet, startPostgres, type TestPostgres } from '../../support/service/postgres.ts';

/* Which token opens which endpoint of the internal listener. */

const TOKENS = {
  agent: 'the-token-of-the-agent',
  collector: 'the-token-of-the-collector',
  nobody: 'the-token-of-nobody-at-all',
};
const JOB = 'job-00000000-0000-4000-8000-000000000000';

let postgres: TestPostgres;
let database: Database;
let app: FastifyInstance;
let agents: AgentsPart;
let address: string;

const CONFIG = parseConfig('', 'delos.yaml');
const LOGS = CONFIG.logs;

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  app = Fastify({ forceCloseConnections: true });
  const unused = (): never => {
    throw new Error('no client of the public listener is asked about here');
  };
  agents = await agentRoutes(app, {
    settings: {
      cluster: 'default',
      publicUrl: 'http://127.0.0.1:1',
      agentToken: TOKENS.agent,
      collectorToken: TOKENS.collector,
      queue: { queuedPerUser: 10, queuedPerProject: 10 },
      disks: CONFIG.disks,
      logs: LOGS,
      oidc: { issuer: 'http://127.0.0.1:1/realms/delos', clientId: 'apolo' },
    },
    database,
    budget: new RequestBudget(MOST),
    requests: new RequestLimits(parseConfig('', 'delos.yaml').requests, NO_CACHE),
    cache: NO_CACHE,
    log: quiet,
    metrics: new Registry(),
    logs: new PostgresLogStore(database, LOGS),
    imageSource: imageSource({ allowed: [] }),
    signal: new AbortController().signal,
    authenticate: unused,
    callerById: unused,
    authenticateLogin: unused,
    resources: RESOURCES,
  });
  address = (await app.listen({ host: '127.0.0.1', port: 0 })).replace('http://', '');
});
afterAll(async () => {
  await agents?.close();
  await app?.close();
  await database?.close();
  await postgres?.stop();
});

const headers = (token: string | undefined) => (token === undefined ? {} : { authorization: `Bearer ${token}` });

/** @returns the status of an answer to a request, or 101 where a WebSocket opens */
async function ask(kind: string, path: string, token: string | undefined): Promise<number> {
  const url = `//${address}${AGENT_PREFIX}/${path}`;
  if (kind !== 'socket') {
    const body =
      kind === 'POST'
        ? {
            body: '{"status":404,"message":"gone"}',
            headers: { 'content-type': 'application/json', ...headers(token) },
          }
        : { headers: headers(token) };
    return (await fetch(`http:${url}`, { method: kind, ...body })).status;
  }
  const socket = new WebSocket(`ws:${url}`, { headers: headers(token) });
  const refused = once(socket, 'unexpected-response').then(([, response]) => Number(response.statusCode));
  const status = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  socket.terminate();
  return status;
}

describe.each([
  ['agent', 'socket', 'connect?cluster=default', 101],
  ['agent', 'POST', 'streams/x', 200],
  ['agent', 'socket', 'streams/not-awaited', 404],
  ['collector', 'socket', 'collect?cluster=default&node=node-1', 101],
  ['collector', 'GET', `logs/${JOB}?pod=x&attempt=0`, 404],
  ['collector', 'POST', `logs/${JOB}?pod=x&attempt=0&offset=0&final=true`, 404],
] as const)('the %s’s endpoint %s %s', (owner, kind, path, status) => {
  const other = owner === 'agent' ? 'collector' : 'agent';
  test('is open to its own token', async () => expect(await ask(kind, path, TOKENS[owner])).toBe(status));
  test(`is closed to the ${other}’s token`, async () => expect(await ask(kind, path, TOKENS[other])).toBe(403));
  test('is closed to any other token', async () => expect(await ask(kind, path, TOKENS.nobody)).toBe(401));
  test('is closed without a token', async () => expect(await ask(kind, path, undefined)).toBe(401));
});

test('an endpoint that is not served is told to neither kind', async () => {
  for (const token of [TOKENS.agent, TOKENS.collector]) {
    expect(await ask('socket', 'constructor', token)).toBe(404);
    expect(await ask('GET', 'constructor', token)).toBe(404);
  }
});
