import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AGENT_PREFIX, DelosError, streamRefused } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { type WebSocket, WebSocketServer } from 'ws';
import { LogTails } from '../../logs/tails.ts';
import type { ApiDeps } from '../deps.ts';
import { refuseUpgrade } from '../handshake.ts';
import { httpError } from '../http-errors.ts';
import { CollectorSession } from './collector-session.ts';
import { AgentHub } from './hub.ts';
import { ingestRoutes } from './ingest.ts';
import { AgentSession } from './session.ts';
import { tokenCheck } from './tokens.ts';

/** A connection that says nothing for this long is dead; agents and collectors ping more often. */
const SILENCE_MS = 35_000;
const MAX_MESSAGE_BYTES = 64 * 2 ** 20;
/** Everything is told again this often: a notification may be lost. */
const SYNC_MS = 60_000;

export interface AgentsPart {
  readonly hub: AgentHub;
  readonly close: () => Promise<void>;
}

/** The agent protocol (core/src/wire/agent-protocol.ts) on the internal listener. */
export async function agentRoutes(app: FastifyInstance, deps: ApiDeps): Promise<AgentsPart> {
  const tails = new LogTails(deps.database.notifications);
  const hub = new AgentHub(tails);
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: MAX_MESSAGE_BYTES });
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
  });

  const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    const url = new URL(request.url ?? '/', 'http://internal');
    if (!url.pathname.startsWith(`${AGENT_PREFIX}/`)) return;
    socket.on('error', () => socket.destroy());
    try {
      authorize(url.pathname, request.headers.authorization);
      const accept = acceptorOf(url);
      sockets.handleUpgrade(request, socket, head, accept);
    } catch (error) {
      refuseUpgrade(socket, httpError(error));
    }
  };

  function acceptorOf(url: URL): (socket: WebSocket) => void {
    const [part, id] = url.pathname.slice(AGENT_PREFIX.length + 1).split('/');
    const cluster = url.searchParams.get('cluster') ?? '';
    const node = url.searchParams.get('node') ?? '';
    if (part === 'connect' && cluster !== '') {
      return (socket) => {
        watchSilence(socket);
        const session = new AgentSession(socket, cluster, deps.database, deps.log);
        hub.add(session);
        socket.once('close', () => hub.remove(session));
      };
    }
    if (part === 'collect' && cluster !== '' && node !== '') {
      return (socket) => {
        watchSilence(socket);
        new CollectorSession(socket, cluster, node, deps.database, deps.log);
      };
    }
    if (part === 'streams' && id !== undefined && hub.awaits(id)) {
      return (socket) => {
        socket.pause();
        hub.deliver(id, socket);
      };
    }
    throw new DelosError('ERR_NOT_FOUND', `no such endpoint: ${url.pathname}`);
  }

  app.server.on('upgrade', onUpgrade);
  const timer = setInterval(() => {
    for (const session of hub.sessions) session.sync();
  }, SYNC_MS);
  return {
    hub,
    close: async () => {
      clearInterval(timer);
      app.server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.terminate();
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
