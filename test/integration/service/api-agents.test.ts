import { once } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { AGENT_PROTOCOL, type JobDesire, type ToAgent, toAgent } from '@delos/core';
import { type KyselyPlugin, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { AgentSession } from '../../../runtime/service/src/api/agents/session.ts';
import { NO_CACHE } from '../../../runtime/service/src/api/cache/cache.ts';
import { connectDatabase, type Database } from '../../../runtime/service/src/db/database.ts';
import type { JobEvent } from '../../../runtime/service/src/db/job-state.ts';
import { applyEvent } from '../../../runtime/service/src/db/jobs-state.ts';
import { startControlApi, startIssuer, type TestApi, type TestIssuer } from '../../support/service/control-api.ts';
import { observation } from '../../support/service/observer.ts';
import { quiet, startPostgres, type TestPostgres } from '../../support/service/postgres.ts';
import { until } from '../../support/until.ts';

/* What the control API tells an agent, over a real database whose answers can be held back. */

let postgres: TestPostgres;
let issuer: TestIssuer;
let database: Database;
let api: TestApi;
let server: WebSocketServer;
let agent: WebSocket;
let session: AgentSession;
let told: ToAgent[];

/** The answer to the next query is held: it has been read, and nobody has it yet. */
let hold: { readonly read: () => void; readonly released: Promise<void> } | undefined;
const holding: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  transformResult: async ({ result }) => {
    const held = hold;
    hold = undefined;
    held?.read();
    await held?.released;
    return result;
  },
};

/** @returns once the next answer is there, and with it what lets it go on */
async function holdAnswer(ask: () => void): Promise<() => void> {
  const read = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  hold = { read: read.resolve, released: released.promise };
  ask();
  await read.promise;
  return released.resolve;
}

beforeAll(async () => {
  postgres = await startPostgres();
  issuer = await startIssuer();
  const at = {
    host: postgres.host,
    port: postgres.port,
    user: postgres.user,
    database: await postgres.createDatabase(),
  };
  // One connection: what was asked before is answered before. It is free again while an answer is held.
  database = await connectDatabase({ ...at, connections: 1 }, quiet);
  // Heard before it starts: a channel that is new makes every session look again, which would hide what it missed.
  database.notifications.onJobChanged(() => undefined);
  await database.notifications.start();
  api = await startControlApi(database, issuer);
  server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
});
afterAll(async () => {
  server?.close();
  await api?.stop();
  await issuer?.stop();
  await database?.close();
  await postgres?.stop();
});
beforeEach(async () => {
  told = [];
  const connected = once(server, 'connection');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server has no port');
  agent = new WebSocket(`ws://127.0.0.1:${address.port}`);
  agent.on('message', (data: Buffer) => told.push(toAgent.parse(JSON.parse(data.toString('utf8')))));
  const opened = once(agent, 'open');
  const [socket] = await connected;
  await opened;
  session = new AgentSession(socket, 'default', {
    database: { ...database, db: database.db.withPlugin(holding) },
    cache: NO_CACHE,
    log: quiet,
    settings: api.deps.settings,
  });
});
afterEach(async () => {
  if (agent.readyState === WebSocket.CLOSED) return;
  agent.terminate();
  await once(agent, 'close');
});

/** The agent says who it is, and has been told all that is desired. */
async function greet(): Promise<void> {
  agent.send(JSON.stringify({ type: 'hello', version: '0', protocol: AGENT_PROTOCOL }));
  await until('it is told of every job', 20, () => (told.some(({ type }) => type === 'sync') ? true : undefined));
  told = [];
}

/** What the agent believes. */
function believed(): ReadonlyMap<string, JobDesire['spec']['action']> {
  const jobs = new Map<string, JobDesire['spec']['action']>();
  for (const message of told) {
    if (message.type === 'sync' && message.kind === 'job') {
      const named = new Set(message.ids);
      for (const id of jobs.keys()) if (!named.has(id)) jobs.delete(id);
    }
    if (message.type === 'desire' && message.desire.kind === 'job')
      jobs.set(message.desire.id, message.desire.spec.action);
    if (message.type === 'forget') jobs.delete(message.id);
  }
  return jobs;
}

async function queued(): Promise<string> {
  const { json } = await api.request('alice', 'POST', '/jobs?from_preset', {
    preset_name: 'cpu-small',
    org_name: 'acme',
    project_name: 'one',
    image: 'ubuntu:24.04',
    pass_config: false,
  });
  return json.id;
}

/** Carries the event out, and lets the session do all that it does about it while nothing else answers. */
async function happens(id: string, event: JobEvent): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const off = database.notifications.onJobChanged((change) => {
    if (change.id === id) resolve();
  });
  await database.tx((tx) => applyEvent(tx, id, event));
  await promise;
  off();
  await setImmediate();
  await sql`select 1`.execute(database.db);
}

const ADMIT: JobEvent = { type: 'admit', pool: 'default', node: 'node-1', description: '' };
const KILL: JobEvent = { type: 'stop', status: 'cancelled', reason: 'Killed', description: 'killed by alice' };

test.each([
  ['admitted', [], ADMIT, 'run'],
  ['killed', [ADMIT], KILL, 'stop'],
] as const)(
  'a job that is %s while the list of all is on its way is not undone by it',
  async (_what, before, event, action) => {
    await greet();
    const id = await queued();
    for (const each of before) await happens(id, each);
    const release = await holdAnswer(() => session.sync());
    await happens(id, event);
    release();
    await until('list and job are told', 20, () =>
      told.some(({ type }) => type === 'sync') &&
      told.some((message) => message.type === 'desire' && message.desire.spec.action === action)
        ? true
        : undefined,
    );
    expect(believed().get(id)).toBe(action);
  },
);

test('last words of a container that PostgreSQL cannot hold are stored without what it refuses', async () => {
  await greet();
  const id = await queued();
  await happens(id, ADMIT);
  const seen = observation(id, { phase: 'failed', description: 'a\0b\ud800', startedAt: null, exitCode: 1 });
  agent.send(JSON.stringify({ type: 'observation', kind: 'job', id, seq: 7, observation: seen }));
  await until('it is acknowledged', 20, () =>
    told.some((message) => message.type === 'ack' && message.id === id && message.seq === 7) ? true : undefined,
  );
  const row = await database.db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  expect([row.status, row.status_description]).toEqual(['failed', 'a\ufffdb\ufffd']);
});

test.each([
  ['of the first protocol, which did not say so', { type: 'hello', version: '0.0.9', nonce: 'x' }, false],
  ['of a later protocol', { type: 'hello', version: '9', protocol: AGENT_PROTOCOL + 1 }, false],
  ['of this protocol', { type: 'hello', version: '0', protocol: AGENT_PROTOCOL }, true],
])('an agent %s is told everything, or is told why not and let go', async (_what, hello, taken) => {
  const closed = once(agent, 'close');
  agent.send(JSON.stringify(hello));
  if (taken) {
    await until('it is told of every job', 20, () => (told.some(({ type }) => type === 'sync') ? true : undefined));
    expect(agent.readyState).toBe(WebSocket.OPEN);
    return;
  }
  const [code, reason] = (await closed) as [number, Buffer];
  expect(code).toBe(1002);
  expect(reason.toString()).toMatch(new RegExp(`^the agent speaks protocol \\d+, and .* ${AGENT_PROTOCOL}$`));
  expect(told).toEqual([]);
});

test.each([
  ['a report', (id: string) => ({ type: 'removed', kind: 'job', id, podUid: '' })],
  ['its nodes', () => ({ type: 'nodes', nodes: [] })],
])('an agent that sends %s before it says hello is refused, and nothing of it is taken', async (_what, message) => {
  const id = await queued();
  await happens(id, ADMIT);
  const closed = once(agent, 'close');
  const ended = observation(id, { phase: 'failed', exitCode: 1 });
  agent.send(JSON.stringify(message(id)));
  // Sent before the refusal is there.
  agent.send(JSON.stringify({ type: 'hello', version: '0', protocol: AGENT_PROTOCOL }));
  agent.send(JSON.stringify({ type: 'observation', kind: 'job', id, seq: 1, observation: ended }));
  const [code, reason] = (await closed) as [number, Buffer];
  const { type } = message(id);
  expect([code, reason.toString()]).toEqual([1002, `the first message must be hello, and not ${type}`]);
  expect(told).toEqual([]);
  const row = await database.db.selectFrom('jobs').select('phase').where('id', '=', id).executeTakeFirstOrThrow();
  expect(row.phase).toBe('admitted');
});
