import { DelosError, MAX_BODY_BYTES } from '@delos/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ApiDeps, Caller } from './deps.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bytes of the body that a route takes from a caller without a token. @default none: no token, no body */
    readonly anonymousBody?: number;
    /** Bytes of the body that a route takes. @default what the API takes */
    readonly largestBody?: number;
  }
}

/** After the answer, the rest of a body that nobody reads has this long to arrive. */
const LINGER_MS = 5_000;

const callers = new WeakMap<FastifyRequest, Promise<Caller>>();

/**
 * Who makes this request. The token is checked once, and the request is counted once.
 * @throws DelosError ERR_UNAUTHENTICATED, ERR_TOO_MANY_REQUESTS
 */
export function callerOf(deps: Pick<ApiDeps, 'authenticate' | 'requests'>, request: FastifyRequest): Promise<Caller> {
  const known = callers.get(request);
  if (known !== undefined) return known;
  const caller = deps.authenticate(request.headers.authorization).then(async (found) => {
    await deps.requests.ofUser(found);
    return found;
  });
  callers.set(request, caller);
  return caller;
}

/**
 * Bounds what requests may hold of the service's memory. It runs before the body of a request is read: a body is read
 * only of a caller with a valid token, whatever the path, and within the caller's and everybody's budget. A route with
 * `anonymousBody` reads so many bytes from any caller, within the budget of the source address.
 */
export function admitRequests(app: FastifyInstance, deps: Pick<ApiDeps, 'authenticate' | 'budget' | 'requests'>): void {
  app.addHook('onRequest', async (request, reply) => {
    const { anonymousBody, largestBody } = request.routeOptions.config;
    const most = anonymousBody ?? largestBody ?? MAX_BODY_BYTES;
    const body = bodyBytes(request, most);
    // One that is too large is refused by its announced length, unread.
    if (body === 0 || body > most) return;
    const user = anonymousBody === undefined ? (await callerOf(deps, request)).user : `the address ${request.ip}`;
    reserve(deps, { user }, reply, body);
  });
  app.addHook('onResponse', async (request) => {
    const { raw } = request;
    if (raw.complete) return;
    const timer = setTimeout(() => {
      if (!raw.complete) raw.socket.destroy();
    }, LINGER_MS);
    timer.unref();
    raw.once('close', () => clearTimeout(timer));
  });
}

/** Takes bytes of the caller's budget until the answer is sent or the client is gone. @throws DelosError ERR_BUSY */
export function reserve(
  deps: Pick<ApiDeps, 'budget'>,
  { user }: Pick<Caller, 'user'>,
  reply: FastifyReply,
  bytes: number,
): void {
  const release = deps.budget.take(user, bytes);
  if (release === undefined) throw busy(reply, user);
  reply.raw.once('close', release);
}

/** A request without a body waits so long for its turn. */
const TURN_MS = 10_000;

/**
 * As {@link reserve}, but waits for its turn: a request that has no body costs next to nothing meanwhile.
 * @throws DelosError ERR_BUSY where its turn does not come
 */
export async function reserveInTurn(
  deps: Pick<ApiDeps, 'budget'>,
  { user }: Pick<Caller, 'user'>,
  reply: FastifyReply,
  bytes: number,
): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  reply.raw.once('close', leave);
  const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(TURN_MS)]);
  const release = await deps.budget.takeBefore(user, bytes, signal);
  reply.raw.off('close', leave);
  if (release === undefined) throw busy(reply, user);
  if (reply.raw.destroyed) release();
  else reply.raw.once('close', release);
}

/** The length that a request announces of its body; the most that is taken where it announces none. */
function bodyBytes({ headers }: FastifyRequest, most: number): number {
  if (headers['transfer-encoding'] !== undefined) return most;
  const length = Number(headers['content-length'] ?? 0);
  return Number.isFinite(length) ? length : most;
}

function busy(reply: FastifyReply, user: string): DelosError {
  void reply.header('retry-after', '1');
  return new DelosError('ERR_BUSY', `${user}, or all users together, have too many large requests under way`, {
    hint: 'try again in a moment',
  });
}
