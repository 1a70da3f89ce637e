import type { FastifyReply } from 'fastify';
import { httpError } from '../../http-errors.ts';

/** By status. @see https://distribution.github.io/distribution/spec/api/#errors-2 */
const CODES: Readonly<Record<number, string>> = {
  400: 'UNSUPPORTED',
  401: 'UNAUTHORIZED',
  403: 'DENIED',
  404: 'NAME_UNKNOWN',
  429: 'TOOMANYREQUESTS',
};

/** Answers an error as clients of registries read it, and as the official client does. */
export function sendError(reply: FastifyReply, error: unknown): FastifyReply {
  const { status, body, internal, retryAfter } = httpError(error);
  if (internal) reply.log.error({ error }, 'request failed');
  if (retryAfter !== undefined) void reply.header('retry-after', String(retryAfter));
  if (status === 401) void reply.header('www-authenticate', 'Basic realm="Delos", charset="UTF-8"');
  return reply
    .code(status)
    .send({ ...body, errors: [{ code: CODES[status] ?? 'UNAVAILABLE', message: body.error, detail: null }] });
}
