import { AGENT_PREFIX, DelosError, JOINED_PREFIX, streamRefused } from '@delos/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { clusterMetrics } from '../../db/clusters/cluster-metrics.ts';
import { whoseCredential } from '../../db/clusters/joining.ts';
import { detach, every } from '../../edge/guard.ts';
import { checkedQuery } from '../../edge/text.ts';
import { LogTails } from '../../logs/tails.ts';
import type { ApiDeps } from '../deps.ts';
import { httpError } from '../http-errors.ts';
import { addressOf } from '../limits/request-limits.ts';
import { notServed, takeUpgrades } from '../upgrades.ts';
import { agentMetrics } from './agent-metrics.ts';
import { CollectorSession } from './collector-session.ts';
import { AgentHub } from './hub.ts';
import { ingestRoutes } from './ingest.ts';
import { joinedRoutes } from './joined.ts';
import { OpenDials } from './open-dials.ts';
import { answerReplicas, otherReplicas } from './other-replicas.ts';
import { passRefusal, passToReplica } from './pass-stream.ts';
import { AgentSession } from './session.ts';
import { readPlace } from './stream-place.ts';
import { type Principal, tokenCheck } from './tokens.ts';

/** A connection that says nothing for this long is dead; agents and collectors ping more often. */
const SILENCE_MS = 35_000;
const MAX_MESSAGE_BYTES = 64 * 2 ** 20;
/** Agents, collectors and streams into containers at once. */
const MOST_SOCKETS = 900;
/** Of the platform's own cluster, and of those that have joined. */
const PREFIXES = [AGENT_PREFIX, JOINED_PREFIX] as const;
/** Everything is told again this often: a notification may be lost. */
const SYNC_MS = 60_000;

export interface AgentsPart {
  readonly hub: AgentHub;
  readonly close: () => Promise<void>;
}

/** The agent protocol (core/src/wire/connection.ts) on the internal listener. */
export async function agentRoutes(app: FastifyInstance, deps: ApiDeps): Promise<AgentsPart> {
  const { database, settings, log } = deps;
  const tails = new LogTails(database.notifications);
  const hub = new AgentHub(tails, otherReplicas(deps));
  const endAnswers = answerReplicas(hub, deps);
  const counted = agentMetrics(deps.metrics, hub, settings.cluster);
  clusterMetrics(deps.metrics, database.db);
  const authorize = tokenCheck({
    cluster: settings.cluster,
    tokens: { agent: settings.agentToken, collector: settings.collectorToken },
    joined: (secret) => whoseCredential(database.db, secret),
  });
  /** Guesses from outside are counted by where they come from; whoever has a secret may ask as often as it needs to. */
  const admit = async (path: string, from: Pick<FastifyRequest['raw'], 'headers' | 'socket'>): Promise<Principal> => {
    try {
      return await authorize(path, from.headers.authorization);
    } catch (error) {
      if (path.startsWith(JOINED_PREFIX)) await deps.requests.ofSource(addressOf(from));
      throw error;
    }
  };
  const principals = new WeakMap<FastifyRequest, Principal>();
  const principalOf = (request: FastifyRequest): Principal => {
    const principal = principals.get(request);
    if (principal === undefined) throw new DelosError('ERR_UNAUTHENTICATED', 'nobody asks');
    return principal;
  };
  const dials = new OpenDials(database, log);

  await app.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => {
      const answer = httpError(error);
      if (answer.internal) request.log.error({ error, path: request.url.split('?', 1)[0] }, 'request failed');
      return reply.code(answer.status).send(answer.body);
    });
    scope.addHook('onRequest', async (request) => {
      const path = request.url.split('?', 1)[0] ?? '';
      // Whoever joins has nothing but the join token, which is in the body.
      if (path === `${JOINED_PREFIX}/join`) await deps.requests.ofSource(addressOf(request.raw));
      else principals.set(request, await admit(path, request.raw));
    });
    scope.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
      done(null, body),
    );
    joinedRoutes(scope, deps, principalOf);
    ingestRoutes(scope, deps, hub, { prefixes: PREFIXES, principalOf });
    for (const prefix of PREFIXES) {
      scope.post(`${prefix}/streams/*`, async (request, reply) => {
        const parsed = streamRefused.safeParse(request.body);
        if (!parsed.success) throw new DelosError('ERR_REQUEST', 'the body is not a refusal');
        const principal = principalOf(request);
        const { '*': text } = request.params as { readonly '*': string };
        const { id, elsewhere } = readPlace(text, principal.cluster, settings);
        const awaited =
          elsewhere !== undefined && principal.joined
            ? await passRefusal(elsewhere, id, parsed.data, settings)
            : hub.refuse(id, parsed.data, principal);
        return reply.send({ awaited });
      });
    }
    scope.get(`${AGENT_PREFIX}/streams/:id/request`, async (request, reply) => {
      const { id } = request.params as { readonly id: string };
      const stream = hub.hand(id);
      if (stream === undefined) throw new DelosError('ERR_NOT_FOUND', 'nobody waits for this stream');
      return reply.send(stream);
    });
  });

  const upgrades = takeUpgrades(app.server, {
    log,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    most: MOST_SOCKETS,
    prepare: async (request, url) => {
      const prefix = PREFIXES.find((one) => url.pathname.startsWith(`${one}/`));
      if (prefix === undefined) throw notServed(url.pathname);
      const principal = await admit(url.pathname, request);
      return { accept: acceptorOf(url, prefix, principal) };
    },
  });

  function acceptorOf(url: URL, prefix: string, principal: Principal): (socket: WebSocket) => void {
    const [part, id] = url.pathname.slice(prefix.length + 1).split('/');
    const query = checkedQuery(url.search);
    const node = query.get('node') ?? '';
    const { cluster, joined } = principal;
    if (part === 'connect' || part === 'collect') {
      const named = query.get('cluster') ?? cluster;
      if (named !== cluster) throw new DelosError('ERR_FORBIDDEN', `this token is not of cluster ${named}`);
    }
    if (part === 'connect') {
      return (socket) => {
        watchSilence(socket);
        const session = new AgentSession(socket, cluster, deps, { joined });
        hub.add(session);
        if (joined) dials.add(socket, cluster);
        socket.once('close', () => hub.remove(session));
      };
    }
    if (part === 'collect' && node !== '') {
      return (socket) => {
        watchSilence(socket);
        new CollectorSession(socket, cluster, node, database, log);
        if (joined) dials.add(socket, cluster);
        counted.collector(1);
        socket.once('close', () => counted.collector(-1));
      };
    }
    if (part === 'streams' && id !== undefined) {
      const place = readPlace(id, cluster, settings);
      const { elsewhere } = place;
      if (elsewhere !== undefined && joined) {
        return (socket) =>
          detach(log, 'passing a stream to its replica', () => passToReplica(socket, elsewhere, place.id, settings));
      }
      if (hub.awaits(place.id, principal)) {
        return (socket) => {
          socket.pause();
          hub.deliver(place.id, socket);
        };
      }
    }
    throw notServed(url.pathname);
  }

  const endSync = every(SYNC_MS, log, 'telling agents everything again', () => {
    for (const session of hub.sessions) session.sync();
  });
  return {
    hub,
    close: async () => {
      endSync();
      endAnswers();
      dials.close();
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
