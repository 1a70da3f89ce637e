import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { checkedQuery, decodedPath } from '../../edge/text.ts';
import type { AgentHub } from '../agents/hub.ts';
import type { Caller } from '../deps.ts';
import { absentAt } from '../known-services.ts';
import type { ListenerDeps } from '../resource.ts';
import { notServed, takeUpgrades } from '../upgrades.ts';
import { OpenStreams } from './open-streams.ts';
import { streamFinder } from './stream-finder.ts';

/** Of a client's frame. The official client sends what its stream reader holds: less than 400 KiB. */
const MAX_MESSAGE_BYTES = 2 ** 20;
/** Streams at once, in all and of one user. The connections that are left serve requests. */
const MOST_STREAMS = 600;
const MOST_STREAMS_OF_USER = 100;

/** The streams of all resources, on the public listener. */
export function streamRoutes(app: FastifyInstance, deps: ListenerDeps, hub: AgentHub): { readonly close: () => void } {
  const find = streamFinder(Object.values(deps.resources));
  const streamsOf = new Map<string, number>();
  const open = new OpenStreams(deps.database, deps.log);
  const upgrades = takeUpgrades(app.server, {
    log: deps.log,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    most: MOST_STREAMS,
    prepare: async (request, url) => {
      const found = find(url.pathname);
      if (found === undefined) throw absentAt(deps.resources, url.pathname) ?? notServed(url.pathname);
      const { stream, parts } = found;
      const query = checkedQuery(url.search);
      const caller = await deps.authenticate(request.headers.authorization);
      const release = take(caller);
      try {
        const params = Object.fromEntries(
          Object.entries(parts).map(([name, part]) => [name, decodedPath(part, name)] as const),
        );
        const { project, accept, abandon } = await stream.open({ ...deps, hub }, { caller, params, query });
        return {
          protocol: stream.protocol,
          accept: (socket) => {
            socket.once('close', release);
            open.add(socket, caller, project, stream.right);
            accept(socket);
          },
          abandon: () => {
            release();
            abandon?.();
          },
        };
      } catch (error) {
        release();
        throw error;
      }
    },
  });

  /** Counts one more stream of a user. @returns a function that takes it back */
  function take({ user }: Caller): () => void {
    const count = streamsOf.get(user) ?? 0;
    if (count >= MOST_STREAMS_OF_USER) {
      throw new DelosError('ERR_BUSY', `${user} has ${count} streams open, the most at once`, {
        hint: 'close those that nobody reads, and try again',
      });
    }
    streamsOf.set(user, count + 1);
    return () => {
      const left = (streamsOf.get(user) ?? 1) - 1;
      if (left === 0) streamsOf.delete(user);
      else streamsOf.set(user, left);
    };
  }

  return {
    close: () => {
      open.close();
      upgrades.close();
    },
  };
}
