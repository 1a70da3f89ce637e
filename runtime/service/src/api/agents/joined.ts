import { credentials, DelosError, JOINED_PREFIX, joinRequest } from '@delos/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { joinCluster, setCredentials } from '../../db/clusters/joining.ts';
import { leaveCluster } from '../../db/clusters/leaving.ts';
import type { ApiDeps } from '../deps.ts';
import type { Principal } from './tokens.ts';

/** How a cluster joins, rotates what it shows, and leaves (core/src/wire/join.ts). */
export function joinedRoutes(
  app: FastifyInstance,
  { database, log }: Pick<ApiDeps, 'database' | 'log'>,
  principalOf: (request: FastifyRequest) => Principal,
): void {
  app.post(`${JOINED_PREFIX}/join`, async (request, reply) => {
    const wanted = joinRequest.safeParse(request.body);
    if (!wanted.success) throw new DelosError('ERR_REQUEST', 'the body is not a request to join');
    const cluster = await database.tx((tx) => joinCluster(tx, wanted.data));
    log.info({ cluster }, 'a cluster has joined');
    return reply.send({ cluster });
  });
  app.put(`${JOINED_PREFIX}/credentials`, async (request, reply) => {
    const { cluster } = principalOf(request);
    const wanted = credentials.safeParse(request.body);
    if (!wanted.success) throw new DelosError('ERR_REQUEST', 'the body does not say which secrets are accepted');
    await database.tx((tx) => setCredentials(tx, cluster, wanted.data));
    return reply.code(204).send();
  });
  app.delete(`${JOINED_PREFIX}/membership`, async (request, reply) => {
    const { cluster } = principalOf(request);
    const left = await database.tx((tx) => leaveCluster(tx, cluster, `agent of ${cluster}`));
    log.info({ cluster, ...left }, 'a cluster leaves');
    return reply.send(left);
  });
}
