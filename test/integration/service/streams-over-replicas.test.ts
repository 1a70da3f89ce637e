import { once } from 'node:events';
import { AGENT_PREFIX, AGENT_PROTOCOL, type StreamRequest, type ToAgent, toAgent } from '@delos/core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { liveOf } from '../../../runtime/service/src/live-secret.ts';
import { type Replica, replicaOf } from '../../support/clusters/two-replicas.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../../support/service/control-api.ts';
import { until } from '../../support/until.ts';

/*
 * Two replicas of the control API over one real database. The agent, which a test plays by its protocol, is connected to one of
 * them. With a real agent and real containers: test/e2e/04-replicas.test.ts.
 */

let platform: ApiOnPostgres & { readonly stop: () => Promise<void> };
let first: Replica;
let second: Replica;
let job: string;

async function replica(): Promise<Replica> {
  const made = await replicaOf(platform);
  return { ...made, url: made.url.replace('http', 'ws') };
}

const authorization = (): string => `Bearer ${platform.api.deps.settings.agentToken}`;

/** An agent at one replica, and what it was asked for. */
class Agent {
  readonly asked: StreamRequest[] = [];
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  static async at({ address }: Replica): Promise<Agent> {
    const socket = new WebSocket(`${address.replace('http', 'ws')}${AGENT_PREFIX}/connect?cluster=default`, {
      headers: { authorization: authorization() },
    });
    const agent = new Agent(socket);
    let synced = false;
    socket.on('message', (data: Buffer) => {
      const message: ToAgent = toAgent.parse(JSON.parse(data.toString('utf8')));
      if (message.type === 'stream') agent.asked.push(message.stream);
      if (message.type === 'sync') synced = true;
    });
    await once(socket, 'open');
    socket.send(JSON.stringify({ type: 'hello', version: 'test', protocol: AGENT_PROTOCOL }));
    await until('the agent is greeted', 10, async () => (synced ? true : undefined));
    return agent;
  }

  /** The next request, as soon as it is there. */
  next(): Promise<StreamRequest> {
    return until('the agent is asked', 10, async () => this.asked.shift());
  }

  async end(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.terminate();
    await closed;
  }
}

/** Dials where the request says that somebody waits, and sends back what comes, in capitals. */
async function answer({ id, callback }: StreamRequest): Promise<void> {
  const back = new WebSocket(`${callback?.replace('http', 'ws')}${AGENT_PREFIX}/streams/${id}`, {
    headers: { authorization: authorization() },
  });
  back.on('message', (data: Buffer) => {
    back.send(Buffer.from(data.toString('utf8').toUpperCase()));
    back.close(1000);
  });
  await once(back, 'open');
}

/** A client's exec: what it hears, or the status by which it was refused. */
async function exec(at: Replica, command: string): Promise<{ readonly heard: string; readonly status: number }> {
  const query = new URLSearchParams({ cmd: command, stdin: '1', stdout: '1', stderr: '1', tty: '0' });
  const headers = { authorization: `Bearer ${await platform.issuer.token('alice')}` };
  const socket = new WebSocket(`${at.url}/api/v1/jobs/${job}/exec?${query}`, { headers });
  const refused = once(socket, 'unexpected-response').then(
    ([, response]: { statusCode?: number }[]) => response?.statusCode ?? 0,
  );
  const parts: Buffer[] = [];
  socket.on('message', (data: Buffer) => parts.push(data));
  socket.on('error', () => undefined);
  const status = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  if (status !== 101) return { heard: '', status };
  socket.send(Buffer.from('hello'));
  await once(socket, 'close');
  return { heard: Buffer.concat(parts).toString('utf8'), status };
}

beforeAll(async () => {
  platform = await startApiOnPostgres();
  await platform.database.notifications.start();
  [first, second] = [await replica(), await replica()];
  const { json } = await platform.api.request('alice', 'POST', '/jobs?from_preset', {
    preset_name: 'cpu-small',
    org_name: 'acme',
    project_name: 'one',
    image: 'ubuntu:24.04',
    pass_config: false,
  });
  job = json.id;
  await platform.database.db
    .updateTable('jobs')
    .set({ phase: 'running', status: 'running' })
    .where('id', '=', job)
    .execute();
});
afterAll(async () => {
  await first?.stop();
  await second?.stop();
  await platform?.stop();
});

describe('with the agent at the first replica', () => {
  let agent: Agent;
  beforeEach(async () => {
    agent = await Agent.at(first);
  });
  afterEach(() => agent.end());

  test.each([
    ['first', () => first],
    ['second', () => second],
  ])('a client of the %s reaches the container, and the agent dials the replica where the client is', async (_, at) => {
    const client = exec(at(), 'cat');
    const request = await agent.next();
    expect(request).toMatchObject({ jobId: job, kind: 'exec', callback: at().address, command: ['cat'] });
    await answer(request);
    expect(await client).toEqual({ heard: 'HELLO', status: 101 });
    expect(agent.asked).toEqual([]);
  });

  test('a command that is longer than a notification of PostgreSQL arrives whole', async () => {
    const long = `echo ${'x'.repeat(10_000)}`;
    const client = exec(second, long);
    const request = await agent.next();
    expect(request.command.join(' ')).toBe(long);
    await answer(request);
    expect((await client).heard).toBe('HELLO');
  });

  test('a refusal reaches the client of the other replica', async () => {
    const client = exec(second, 'cat');
    const { id, callback } = await agent.next();
    const body = JSON.stringify({ status: 404, message: 'the container is not running' });
    const headers = { authorization: authorization(), 'content-type': 'application/json' };
    await fetch(`${callback}${AGENT_PREFIX}/streams/${id}`, { method: 'POST', headers, body });
    expect((await client).status).toBe(404);
  });

  test('many clients at once, at both, each get their own', async () => {
    const clients = Array.from({ length: 20 }, (_, nth) => exec(nth % 2 === 0 ? first : second, `cat ${nth}`));
    for (const _ of clients) await answer(await agent.next());
    expect((await Promise.all(clients)).map(({ heard }) => heard)).toEqual(clients.map(() => 'HELLO'));
  });

  test('nobody else gets the request: not without a token, not with the collector’s, not twice after its end', async () => {
    const client = exec(second, 'cat');
    const request = await agent.next();
    const status = async (token: string): Promise<number> => {
      const url = `${second.address}${AGENT_PREFIX}/streams/${request.id}/request`;
      return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status;
    };
    expect(await status('nobody')).toBe(401);
    expect(await status(liveOf(platform.api.deps.settings.collectorToken).current())).toBe(403);
    await answer(request);
    await client;
    expect(await status(liveOf(platform.api.deps.settings.agentToken).current())).toBe(404);
  });
});

test('where no replica has the agent, a client is told so', async () => {
  const { status } = await exec(second, 'cat');
  expect(status).toBe(503);
});

test('an agent that comes back at the other replica is found there', async () => {
  const before = await Agent.at(first);
  await before.end();
  const agent = await Agent.at(second);
  const client = exec(first, 'cat');
  const request = await agent.next();
  expect(request.callback).toBe(first.address);
  await answer(request);
  expect((await client).heard).toBe('HELLO');
  await agent.end();
});
