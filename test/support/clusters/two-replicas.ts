import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { AGENT_PREFIX, AGENT_PROTOCOL, JOINED_PREFIX, type StreamRequest, type ToAgent, toAgent } from '@delos/core';
import { freePort } from '@delos/host';
import Fastify from 'fastify';
import { Registry } from 'prom-client';
import { WebSocket } from 'ws';
import { agentRoutes } from '../../../runtime/service/src/api/agents/index.ts';
import { publicApp } from '../../../runtime/service/src/api/server.ts';
import { streamRoutes } from '../../../runtime/service/src/api/streams/index.ts';
import { digestOf, makeJoinToken } from '../../../runtime/service/src/db/clusters/joining.ts';
import { liveOf } from '../../../runtime/service/src/live-secret.ts';
import { type ApiOnPostgres, startApiOnPostgres } from '../service/control-api.ts';
import { until } from '../until.ts';

/*
 * Two replicas of the control API over one real database, and clusters that have joined. Their agents are played by their
 * protocol; with real agents and two real clusters: test/long/e2e/joined-cluster.test.ts.
 */

export interface Replica {
  readonly url: string;
  /** Where agents reach it: those of the platform's own cluster, and the gateway for the others. */
  readonly address: string;
  readonly stop: () => Promise<void>;
}

export interface TwoReplicas extends ApiOnPostgres {
  readonly first: Replica;
  readonly second: Replica;
  readonly stop: () => Promise<void>;
}

export async function startTwoReplicas(): Promise<TwoReplicas> {
  const platform = await startApiOnPostgres();
  await platform.database.notifications.start();
  const [first, second] = [await replicaOf(platform), await replicaOf(platform)];
  return {
    ...platform,
    first,
    second,
    stop: async () => {
      await first.stop();
      await second.stop();
      await platform.stop();
    },
  };
}

/** One more replica of the control API over its database. */
export async function replicaOf(platform: ApiOnPostgres): Promise<Replica> {
  const port = await freePort();
  const address = `http://127.0.0.1:${port}`;
  const { deps } = platform.api;
  const own = { ...deps, settings: { ...deps.settings, internalAddress: address }, metrics: new Registry() };
  const app = await publicApp(own);
  const internal = Fastify({ forceCloseConnections: true });
  const agents = await agentRoutes(internal, own);
  const streams = streamRoutes(app, own, agents.hub);
  await internal.listen({ host: '127.0.0.1', port });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    address,
    stop: async () => {
      streams.close();
      await agents.close();
      await app.close();
      await internal.close();
    },
  };
}

/** A cluster that has joined, and what its agent and collectors show. */
export interface JoinedCluster {
  readonly name: string;
  readonly agent: string;
  readonly collector: string;
}

const secret = (): string => randomBytes(24).toString('base64url');

/** The platform's own cluster, for what is tried with each. */
export const ownCluster = ({ api: { deps } }: ApiOnPostgres): JoinedCluster => ({
  name: 'default',
  agent: liveOf(deps.settings.agentToken).current(),
  collector: liveOf(deps.settings.collectorToken).current(),
});

export const joinToken = async ({ database }: ApiOnPostgres, cluster: string, ttlSeconds = 600): Promise<string> =>
  (await database.tx((tx) => makeJoinToken(tx, { cluster, own: 'default', ttlSeconds, by: 'test' }))).secret;

export const askToJoin = (at: Replica, token: string, { agent, collector }: Omit<JoinedCluster, 'name'>) =>
  fetch(`${at.address}${JOINED_PREFIX}/join`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token, agent: digestOf(agent), collector: digestOf(collector) }),
  });

/** Joins, says what the cluster offers, and has one node that is ready. */
export async function join(platform: TwoReplicas, name: string, presets = ['gpu-tiny']): Promise<JoinedCluster> {
  const made = { name, agent: secret(), collector: secret() };
  const answer = await askToJoin(platform.first, await joinToken(platform, name), made);
  if (!answer.ok) throw new Error(`${name}: ${answer.status} ${await answer.text()}`);
  const agent = await PlayedAgent.at(platform.first, made);
  agent.say({
    type: 'offer',
    pools: [{ name: 'hall', minSize: 1, maxSize: 3, fakeGpus: false, labels: {}, preemptible: false }],
    presets: presets.map((preset) => ({
      ...{ name: preset, cpu: 0.5, memory: 2 ** 28, disk: 2 ** 30, creditsPerHour: '0', pools: [] },
      ...{ preemptible: false, security: 'baseline' },
    })),
    scheduling: { minRunSeconds: 0 },
  });
  const node = { name: 'node-1', pool: 'hall', ready: true, schedulable: true, cpu: 4, memory: 2 ** 33 };
  agent.say({ type: 'nodes', nodes: [{ ...node, extended: {}, pods: 100 }] });
  await until(`${name} has a node`, 10, () =>
    platform.database.db.selectFrom('nodes').selectAll().where('cluster', '=', name).executeTakeFirst(),
  );
  await agent.end();
  return made;
}

export const dial = (
  at: Pick<Replica, 'address'>,
  path: string,
  token: string,
  prefix: string = JOINED_PREFIX,
): WebSocket => {
  const socket = new WebSocket(`${at.address.replace('http', 'ws')}${prefix}/${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  socket.on('error', () => undefined);
  return socket;
};

/** The status by which a handshake is refused; 101 where it is not. */
export async function handshake(socket: WebSocket): Promise<number> {
  const refused = once(socket, 'unexpected-response').then(
    ([, response]: { statusCode?: number }[]) => response?.statusCode ?? 0,
  );
  const status = await Promise.race([once(socket, 'open').then(() => 101), refused]);
  if (status === 101) socket.terminate();
  return status;
}

/** An agent at one replica, and what it is told. */
export class PlayedAgent {
  readonly told: ToAgent[] = [];
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = once(socket, 'close').then(([code]: number[]) => code ?? 0);
  }

  static async at(replica: Replica, { name, agent: token }: JoinedCluster): Promise<PlayedAgent> {
    const prefix = name === 'default' ? AGENT_PREFIX : JOINED_PREFIX;
    const socket = dial(replica, `connect?cluster=${name}`, token, prefix);
    const agent = new PlayedAgent(socket);
    socket.on('message', (data: Buffer) => agent.told.push(toAgent.parse(JSON.parse(data.toString('utf8')))));
    await once(socket, 'open');
    agent.say({ type: 'hello', version: 'test', protocol: AGENT_PROTOCOL });
    await until('the agent is greeted', 10, async () =>
      agent.told.filter(({ type }) => type === 'sync').length >= 2 ? true : undefined,
    );
    return agent;
  }

  say(message: unknown): void {
    this.#socket.send(JSON.stringify(message));
  }

  /** Ids of the things that it was told to keep. */
  get desired(): readonly string[] {
    return this.told.flatMap((message) => (message.type === 'desire' ? [message.desire.id] : []));
  }

  /** The next stream that it is asked for. */
  nextStream(): Promise<StreamRequest> {
    return until('the agent is asked for a stream', 10, async () => {
      const index = this.told.findIndex(({ type }) => type === 'stream');
      const [message] = index === -1 ? [] : this.told.splice(index, 1);
      return message?.type === 'stream' ? message.stream : undefined;
    });
  }

  /** All that it has said so far has been taken: what it says of itself next is. */
  async settled(platform: TwoReplicas, name: string): Promise<void> {
    const node = `settled-${randomBytes(4).toString('hex')}`;
    const facts = { pool: 'hall', ready: true, schedulable: true, cpu: 4, memory: 2 ** 33, extended: {}, pods: 100 };
    this.say({ type: 'nodes', nodes: [{ name: node, ...facts }] });
    await until('the agent was heard', 10, () =>
      platform.database.db
        .selectFrom('nodes')
        .selectAll()
        .where('cluster', '=', name)
        .where('name', '=', node)
        .executeTakeFirst(),
    );
  }

  async end(): Promise<void> {
    this.#socket.terminate();
    await this.closed;
  }
}
