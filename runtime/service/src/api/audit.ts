import { randomUUID } from 'node:crypto';
import type { AuditEvent, Outcome } from '@delos/audit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Act, recording } from '../db/audit/append.ts';
import { callerOf } from './admit-requests.ts';
import type { ApiDeps } from './deps.ts';
import type { Resource } from './resource.ts';
import { traceOf } from './trace.ts';

/*
 * Each request that changes something is recorded, also one that is refused: who, what, where, and how it was answered. The
 * record is written in the first transaction of the act, so that neither is there without the other; where an act has none,
 * before it is answered. An act whose record cannot be written is not done, or is answered as one that failed.
 */

/** How a request is answered that came too often, or from nobody. Whoever floods the API must not flood the records. */
const UNRECORDED = [401, 429];
/** A caller may say why, by this header. */
const REASON = 'x-delos-reason';
const LONGEST_REASON = 500;

type Deps = Pick<ApiDeps, 'authenticate' | 'requests' | 'log'> & {
  /** Writes the record of an act that has no transaction, or was refused. */
  readonly record: (event: AuditEvent) => Promise<unknown>;
};

export function auditRequests(app: FastifyInstance, deps: Deps, resource: Resource): void {
  const acts = new WeakMap<FastifyRequest, Act>();
  const ended = new WeakSet<FastifyRequest>();
  const verbOf = (request: FastifyRequest): string | undefined => {
    const url = (request.routeOptions.url ?? '').slice(resource.prefix.length);
    return resource.audit[`${request.method} ${url}`];
  };
  const eventOf = (request: FastifyRequest, act: string, user: string | undefined) => {
    const id = traceOf(request) ?? randomUUID();
    const given = [request.headers[REASON] ?? []].flat()[0]?.slice(0, LONGEST_REASON);
    return (outcome: Outcome, status: number, reason = given): AuditEvent => ({
      ...{ at: Date.now(), source: 'api' as const, act, outcome, status, request: id },
      fields: {
        ...(user === undefined ? {} : { actor: user }),
        address: request.ip,
        object: pathOf(request),
        ...(reason === undefined || reason === '' ? {} : { reason }),
      },
    });
  };

  // After the body: what reads it has no part in the act.
  app.addHook('preHandler', (request, _reply, done) => {
    const verb = verbOf(request);
    if (verb === undefined) return done();
    void nameOf(deps, request).then((user) => {
      const event = eventOf(request, verb, user);
      const act: Act = { event: () => event('done', 200), recorded: false };
      acts.set(request, act);
      recording(act, () => done());
    });
  });
  app.addHook('onSend', async (request, reply, payload) => {
    const verb = verbOf(request);
    const { statusCode: status } = reply;
    if (verb === undefined || UNRECORDED.includes(status) || ended.has(request)) return payload;
    ended.add(request);
    const event = eventOf(request, verb, await nameOf(deps, request));
    if (status < 400) {
      if (acts.get(request)?.recorded !== true) await deps.record(event('done', status));
      return payload;
    }
    // Nothing was done: a record that cannot be written does not change that.
    await deps
      .record(event(status < 500 || status === 501 ? 'refused' : 'failed', status, said(payload)))
      .catch((error: unknown) => deps.log.error({ error, audit: verb }, 'a refusal could not be recorded'));
    return payload;
  });
  app.addHook('onResponse', async (request: FastifyRequest, reply: FastifyReply) => {
    const verb = verbOf(request);
    if (verb === undefined || reply.statusCode === 429) return;
    const user = await nameOf(deps, request);
    deps.log.info({ audit: verb, user, path: pathOf(request), status: reply.statusCode }, 'change asked for');
  });
}

/** Without the query, which may carry what no record should. */
const pathOf = (request: FastifyRequest): string => request.url.split('?', 1)[0] ?? '';

/** Why a request was refused, as its answer says. */
function said(payload: unknown): string | undefined {
  try {
    const { error }: { error?: unknown } = JSON.parse(String(payload));
    return typeof error === 'string' ? error.slice(0, LONGEST_REASON) : undefined;
  } catch {
    return undefined;
  }
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
