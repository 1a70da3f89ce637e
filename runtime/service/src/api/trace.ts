import type { FastifyRequest } from 'fastify';

/**
 * The client's trace (header `b3`, TRACE-SPAN): the same for all requests of one call of the client, so that what
 * belongs to one `apolo run` is known. Undefined where there is none, as from scripts.
 */
export function traceOf(request: Pick<FastifyRequest, 'headers'>): string | undefined {
  const { b3 } = request.headers;
  return typeof b3 === 'string' ? /^([0-9a-f]{32})-/.exec(b3)?.[1] : undefined;
}
