import type { FastifyInstance } from 'fastify';
import { callerOf } from './admit-requests.ts';
import type { ApiDeps } from './deps.ts';
import type { Resource } from './resource.ts';

/** How a request is answered that came too often. Whoever floods the API must not flood its log. */
const TOO_OFTEN = 429;

/**
 * Logs one line of each request that changes something, also of one that is refused: who, what, where, and the answer.
 * Requests that came too often are only counted.
 */
export function auditRequests(
  app: FastifyInstance,
  deps: Pick<ApiDeps, 'authenticate' | 'requests' | 'log'>,
  resource: Resource,
): void {
  app.addHook('onResponse', async (request, reply) => {
    const url = (request.routeOptions.url ?? '').slice(resource.prefix.length);
    const verb = resource.audit[`${request.method} ${url}`];
    if (verb === undefined || reply.statusCode === TOO_OFTEN) return;
    const user = await nameOf(deps, request);
    deps.log.info(
      { audit: verb, user, path: request.url.split('?', 1)[0], status: reply.statusCode },
      'change asked for',
    );
  });
}

/** Undefined for a caller without a valid token. */
async function nameOf(
  deps: Pick<ApiDeps, 'authenticate' | 'requests'>,
  request: Parameters<typeof callerOf>[1],
): Promise<string | undefined> {
  try {
    return (await callerOf(deps, request)).user;
  } catch {
    return undefined;
  }
}
