import { AGENT_PREFIX, DelosError, streamRefused } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import type { WebSocket } from 'ws';
import { every } from '../../edge/guard.ts';
import { checkedQuery } from '../../edge/text.ts';
import { LogTails } from '../../logs/tails.ts';
import type { ApiDeps } from '../deps.ts';
import { httpError } from '../http-errors.ts';
import { notServed, takeUpgrades } from '../upgrades.ts';
import { agentMetrics } from './agent-metrics.ts';
import { CollectorSession } from './collector-session.ts';
import { AgentHub } from './hub.ts';
import { ingestRoutes } from './ingest.ts';
import { answerReplicas, otherReplicas } from './other-replicas.ts';
import { AgentSession } from './session.ts';
import { tokenCheck } from './tokens.ts';

/** A connection that says nothing for this long is dead; agents and collectors ping more often. */
const SILENCE_MS = 35_000;
const MAX_MESSAGE_BYTES = 64 * 2 ** 20;
/** Agents, collectors and streams into containers at once. */
const MOST_SOCKETS = 900;
/** Everything is told again this often: a notification may be lost. */
const SYNC_MS = 60_000;

export interface AgentsPart {
  readonly hub: AgentHub;
  readonly close: () => Promise<void>;
}

/** The agent protocol (core/src/wire/connection.ts) on the internal listener. */
export async function agentRoutes(app: FastifyInstance, deps: ApiDeps): Promise<AgentsPart> {
  const tails = new LogTails(deps.database.notifications);
  const hub = new AgentHub(tails, otherReplicas(deps));
  const endAnswers = answerReplicas(hub, deps);
  const counted = agentMetrics(deps.metrics, hub);
  const authorize = tokenCheck({ agent: deps.settings.agentToken, collector: deps.settings.collectorToken });

  await app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => {
      const answer = httpError(error);
      if (answer.internal) request.log.error({ error, path: request.url.split('?', 1)[0] }, 'request failed');
      return reply.code(answer.status).send(answer.body);
    });
    scope.addHook('onRequest', async (request) => {
      authorize(request.url.split('?', 1)[0] ?? '', request.headers.authorization);
    });
    scope.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    ingestRoutes(scope, deps, hub);
    scope.post(`${AGENT_PREFIX}/streams/:id`, async (request, reply) => {
      const parsed = streamRefused.safeParse(request.body);
      if (!parsed.success) throw new DelosError('ERR_REQUEST', 'the body is not a refusal');
      const { id } = request.params as { readonly id: string };
      return reply.send({ awaited: hub.refuse(id, parsed.data) });
    });
    scope.get(`${AGENT_PREFIX}/streams/:id/request`, async (request, reply) => {
      const { id } = request.params as { readonly id: string };
      const stream = hub.hand(id);
      if (stream === undefined) throw new DelosError('ERR_NOT_FOUND', 'nobody waits for this stream');
      return reply.send(stream);
    });
  });

  const upgrades = takeUpgrades(app.server, {
    log: deps.log,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    most: MOST_SOCKETS,
    prepare: (request, url) => {
      if (!url.pathname.startsWith(`${AGENT_PREFIX}/`)) throw notServed(url.pathname);
      authorize(url.pathname, request.headers.authorization);
      return { accept: acceptorOf(url) };
    },
  });

  function acceptorOf(url: URL): (socket: WebSocket) => void {
    const [part, id] = url.pathname.slice(AGENT_PREFIX.length + 1).split('/');
    const query = checkedQuery(url.search);
    const cluster = query.get('cluster') ?? '';
    const node = query.get('node') ?? '';
    if (part === 'connect' && cluster !== '') {
      return (socket) => {
        watchSilence(socket);
        const session = new AgentSession(socket, cluster, deps);
        hub.add(session);
        socket.once('close', () => hub.remove(session));
      };
    }
    if (part === 'collect' && cluster !== '' && node !== '') {
      return (socket) => {
        watchSilence(socket);
        new CollectorSession(socket, cluster, node, deps.database, deps.log);
        counted.collector(1);
        socket.once('close', () => counted.collector(-1));
      };
    }
    if (part === 'streams' && id !== undefined && hub.awaits(id)) {
      return (socket) => {
        socket.pause();
        hub.deliver(id, socket);
      };
    }
    throw notServed(url.pathname);
  }

  const endSync = every(SYNC_MS, deps.log, 'telling agents everything again', () => {
    for (const session of hub.sessions) session.sync();
  });
  return {
    hub,
    close: async () => {
      endSync();
      endAnswers();
      upgrades.close();
      tails.close();
    },
  };
}

function watchSilence(socket: WebSocket): void {
  let timer = setTimeout(() => socket.terminate(), SILENCE_MS);
  const heard = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => socket.terminate(), SILENCE_MS);
  };
  socket.on('ping', heard);
  socket.on('message', heard);
  socket.on('error', () => socket.terminate());
  socket.once('close', () => clearTimeout(timer));
}
