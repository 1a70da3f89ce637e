import type { FastifyInstance } from 'fastify';
import { checkedQuery, decodedPath } from '../../edge/text.ts';
import type { AgentHub } from '../agents/hub.ts';
import { guardStreams } from '../authorization/guard.ts';
import { RULES } from '../authorization/rules.ts';
import { absentAt } from '../known-services.ts';
import { addressOf } from '../limits/request-limits.ts';
import { StreamLimits } from '../limits/stream-limits.ts';
import { depsAt, splitCluster } from '../paths/cluster-paths.ts';
import type { ListenerDeps } from '../resource.ts';
import { notServed, takeUpgrades } from '../upgrades.ts';
import { UsageReaders } from '../usage/usage-readers.ts';
import { OpenStreams } from './open-streams.ts';
import { streamFinder } from './stream-finder.ts';

/** Of a client's frame. The official client sends what its stream reader holds: less than 400 KiB. */
const MAX_MESSAGE_BYTES = 2 ** 20;
/** Streams of one replica at once. The connections that are left serve requests. */
const MOST_STREAMS = 600;
/** Of one user at once, over all replicas. */
const MOST_STREAMS_OF_USER = 100;

/** The streams of all resources, on the public listener. */
export function streamRoutes(app: FastifyInstance, deps: ListenerDeps, hub: AgentHub): { readonly close: () => void } {
  for (const resource of Object.values(deps.resources)) guardStreams(resource, deps.rules ?? RULES);
  const find = streamFinder(Object.values(deps.resources));
  const limits = new StreamLimits(MOST_STREAMS_OF_USER, deps);
  const usage = new UsageReaders(deps, hub);
  const open = new OpenStreams(deps.database, deps.log);
  const upgrades = takeUpgrades(app.server, {
    log: deps.log,
    maxMessageBytes: MAX_MESSAGE_BYTES,
    most: MOST_STREAMS,
    prepare: async (request, url) => {
      const { url: path, cluster } = splitCluster(url.pathname);
      const found = find(path);
      if (found === undefined) throw absentAt(deps.resources, path) ?? notServed(path);
      const { stream, parts } = found;
      const query = checkedQuery(url.search);
      await deps.requests.ofSource(addressOf(request));
      const caller = await deps.authenticate(request.headers.authorization);
      await deps.requests.ofUser(caller);
      const release = await limits.take(caller);
      try {
        const params = Object.fromEntries(
          Object.entries(parts).map(([name, part]) => [name, decodedPath(part, name)] as const),
        );
        const { project, accept, abandon } = await stream.open(
          { ...(await depsAt(deps, cluster)), hub, usage },
          { caller, params, query },
        );
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

  return {
    close: () => {
      limits.close();
      usage.close();
      open.close();
      upgrades.close();
    },
  };
}
