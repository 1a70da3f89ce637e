import { once } from 'node:events';
import { controlApi } from '@delos/constructs';
import { AGENT_PREFIX, AGENT_PROTOCOL, type JobUsage, type ToAgent, toAgent } from '@delos/core';
import Fastify, { type FastifyInstance } from 'fastify';
import { Registry } from 'prom-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { type AgentHub, type AgentsPart, agentRoutes } from '../../../../runtime/service/src/api/agents/index.ts';
import type { Cache } from '../../../../runtime/service/src/api/cache/cache.ts';
import { RedisCache } from '../../../../runtime/service/src/api/cache/redis-cache.ts';
import { publicApp } from '../../../../runtime/service/src/api/server.ts';
import { streamRoutes } from '../../../../runtime/service/src/api/streams/index.ts';
import { LatestUsage } from '../../../../runtime/service/src/api/usage/latest-usage.ts';
import { UsageReaders } from '../../../../runtime/service/src/api/usage/usage-readers.ts';
import type { Database } from '../../../../runtime/service/src/db/database.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../../support/service/control-api.ts';
import { quiet, startPostgres, type TestPostgres } from '../../../support/service/postgres.ts';
import { startRedis, type TestRedis } from '../../../support/service/redis.ts';
import { until } from '../../../support/until.ts';

/*
 * Two replicas of the control API over one database and one Redis. An agent is connected to the first alone; clients read
 * `top` of the second.
 */

const USER = controlApi.name;
const ACCESS = controlApi.cache ?? { commands: [], keys: [] };
const usage = (timestamp: number): JobUsage => ({ cpu: 0.5, memory_bytes: 2 ** 20, timestamp });

interface Replica {
  readonly url: string;
  readonly internal: string;
  readonly cache: Cache;
  readonly stop: () => Promise<void>;
}

let postgres: TestPostgres;
let database: Database;
let issuer: TestIssuer;
let redis: TestRedis;
let jobs: TestApi;
let first: Replica;
let second: Replica;
let agent: WebSocket;
const told: ToAgent[] = [];

function cacheOf(): Cache {
  const settings = { host: '127.0.0.1', port: redis.port, username: USER, password: redis.password(USER) };
  return new RedisCache(settings, { log: quiet, metrics: new Registry() });
}

const connected = (cache: Cache): Promise<unknown> =>
  until('the cache answers', 15, async () => ((await cache.command('PING')) === 'PONG' ? true : undefined));

async function replica(): Promise<Replica> {
  const cache = cacheOf();
  await connected(cache);
  const deps = { ...jobs.deps, cache, metrics: new Registry() };
  const app = await publicApp(deps);
  const internal: FastifyInstance = Fastify({ forceCloseConnections: true });
  const agents: AgentsPart = await agentRoutes(internal, deps);
  const streams = streamRoutes(app, deps, agents.hub);
  const at = { host: '127.0.0.1', port: 0 };
  return {
    cache,
    url: (await app.listen(at)).replace('http', 'ws'),
    internal: (await internal.listen(at)).replace('http', 'ws'),
    stop: async () => {
      streams.close();
      await agents.close();
      await app.close();
      await internal.close();
      await cache.close();
    },
  };
}

beforeAll(async () => {
  postgres = await startPostgres();
  database = await postgres.connect();
  issuer = await startIssuer();
  redis = await startRedis({ [USER]: ACCESS });
  jobs = await startControlApi(database, issuer);
  [first, second] = [await replica(), await replica()];
  agent = new WebSocket(`${first.internal}${AGENT_PREFIX}/connect?cluster=default`, {
    headers: { authorization: `Bearer ${jobs.deps.settings.agentToken}` },
  });
  agent.on('message', (data: Buffer) => told.push(toAgent.parse(JSON.parse(data.toString('utf8')))));
  await once(agent, 'open');
  agent.send(JSON.stringify({ type: 'hello', version: 'test', protocol: AGENT_PROTOCOL }));
});
afterAll(async () => {
  agent?.terminate();
  await first?.stop();
  await second?.stop();
  await jobs?.stop();
  await redis?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});

async function runningJob(): Promise<string> {
  const { json } = await jobs.request('alice', 'POST', '/jobs?from_preset', {
    preset_name: 'cpu-small',
    org_name: 'acme',
    project_name: 'one',
    image: 'ubuntu:24.04',
    pass_config: false,
  });
  await database.db
    .updateTable('jobs')
    .set({ phase: 'running', status: 'running' })
    .where('id', '=', json.id)
    .execute();
  return json.id;
}

interface Top {
  readonly socket: WebSocket;
  readonly seen: JobUsage[];
  readonly closed: Promise<number>;
}

async function top(id: string, user = 'alice', at = second): Promise<Top> {
  const headers = { authorization: `Bearer ${await issuer.token(user)}` };
  const socket = new WebSocket(`${at.url}/api/v1/jobs/${id}/top`, { headers });
  const seen: JobUsage[] = [];
  socket.on('message', (data: Buffer, binary: boolean) => {
    expect(binary).toBe(false);
    seen.push(JSON.parse(data.toString('utf8')) as JobUsage);
  });
  const closed = once(socket, 'close').then(([code]) => Number(code));
  await Promise.race([
    once(socket, 'open'),
    once(socket, 'unexpected-response').then(() => Promise.reject(new Error('refused'))),
  ]);
  return { socket, seen, closed };
}

const measure = (id: string, timestamp: number): void =>
  agent.send(JSON.stringify({ type: 'usage', jobs: [{ id, usage: usage(timestamp) }] }));

const latest = (id: string): Promise<JobUsage | undefined> =>
  new LatestUsage(second.cache).of([{ id, cluster: 'default' }]).then((found) => found.get(id));

test('what the agent tells one replica is read on another, by many, and the agent is not asked', async () => {
  const id = await runningJob();
  const now = Math.floor(Date.now() / 1000);
  measure(id, now);
  await until('the measurement is there', 10, () => latest(id));
  const readers = await Promise.all([top(id), top(id), top(id, 'rita')]);
  for (const { seen } of readers) await until('the first measurement', 5, async () => seen[0]);
  measure(id, now + 15);
  for (const { seen } of readers) await until('the second measurement', 10, async () => seen[1]);
  for (const { seen } of readers) expect(seen).toEqual([usage(now), usage(now + 15)]);
  // The container ends, and so do its readers, as they do at an agent's stream.
  await database.db.updateTable('jobs').set({ phase: 'ended' }).where('id', '=', id).execute();
  expect(await Promise.all(readers.map(({ closed }) => closed))).toEqual([1000, 1000, 1000]);
  expect(told.filter(({ type }) => type === 'stream')).toEqual([]);
  await expect(top(id)).rejects.toThrow('refused');
});

test('a user without the right reads nothing, whatever the cache has', async () => {
  const id = await runningJob();
  measure(id, Math.floor(Date.now() / 1000));
  await until('the measurement is there', 10, () => latest(id));
  await expect(top(id, 'noel')).rejects.toThrow('refused');
});

test('a measurement of a former run is not shown', async () => {
  const id = await runningJob();
  measure(id, Math.floor(Date.now() / 1000) - 20);
  await until('the measurement is there', 10, () => latest(id));
  await database.db.updateTable('jobs').set({ started_at: new Date() }).where('id', '=', id).execute();
  const asked = told.filter(({ type }) => type === 'stream').length;
  const waiting = top(id, 'alice', first).catch(() => undefined);
  await until('the agent is asked', 10, async () => told.filter(({ type }) => type === 'stream')[asked]);
  for (const message of told) {
    if (message.type !== 'stream') continue;
    const url = `${first.internal.replace('ws', 'http')}${AGENT_PREFIX}/streams/${message.stream.id}`;
    const headers = { authorization: `Bearer ${jobs.deps.settings.agentToken}`, 'content-type': 'application/json' };
    await fetch(url, { method: 'POST', headers, body: JSON.stringify({ status: 404, message: 'not here' }) });
  }
  expect(await waiting).toBeUndefined();
});

test('readers that the cache leaves alone go on with a stream of the agent, and lose nothing', async () => {
  const id = await runningJob();
  const cache = cacheOf();
  await connected(cache);
  const measured = new LatestUsage(cache);
  await measured.record('default', [{ id, usage: usage(1) }]);
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const pair = async (): Promise<readonly [WebSocket, WebSocket]> => {
    const accepted = once(server, 'connection');
    const near = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(near, 'open');
    const [far] = (await accepted) as [WebSocket];
    return [near, far];
  };
  const [client, socket] = await pair();
  const seen: number[] = [];
  client.on('message', (data: Buffer) => seen.push((JSON.parse(data.toString('utf8')) as JobUsage).timestamp));
  let streams = 0;
  const openStream: AgentHub['openStream'] = async () => {
    streams += 1;
    // The agent is not there at once either.
    if (streams === 1) throw new Error('the agent is not connected');
    const [near, far] = await pair();
    far.send(JSON.stringify(usage(3)));
    return near;
  };
  const readers = new UsageReaders({ ...jobs.deps, cache }, { openStream }, 50);
  try {
    readers.add(socket, { id, cluster: 'default', started_at: null }, usage(1));
    await measured.record('default', [{ id, usage: usage(2) }]);
    await until('the second measurement', 5, async () => (seen.includes(2) ? true : undefined));
    await redis.kill();
    await until('the third measurement, from the agent', 10, async () => (seen.includes(3) ? true : undefined));
    expect(seen).toEqual([1, 2, 3]);
    expect(streams).toBe(2);
    const closed = once(client, 'close');
    readers.close();
    for (const far of server.clients) far.close();
    await closed;
  } finally {
    readers.close();
    server.close();
    await cache.close();
    await redis.start();
  }
});
