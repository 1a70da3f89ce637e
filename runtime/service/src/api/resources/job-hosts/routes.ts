import { DelosError, jobId } from '@delos/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { every } from '../../../edge/guard.ts';
import type { ApiDeps } from '../../deps.ts';
import { route } from '../../route.ts';
import { findJob } from '../jobs/index.ts';
import { findJobHost } from './find.ts';

const label = z.string().regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'expected one label of a host name');
/** Something is said at least this often, so that a connection that is lost shows. */
const BEAT_MS = 5_000;
/** A router that takes nothing is let go; it asks anew. */
const MOST_WAITING_BYTES = 2 ** 20;

/** Where addresses lead, who may go there, and what has changed. */
export function jobHostRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;
  const hidden = { schema: { hide: true } };

  app.get('/changes', hidden, async (_request, reply) => tellChanges(deps, reply));

  app.get('/:label', hidden, async (request, reply) => {
    const parsed = z.object({ label }).safeParse(request.params);
    if (!parsed.success) throw new DelosError('ERR_REQUEST', 'expected one label of a host name');
    void reply.header('cache-control', 'no-store');
    return findJobHost(database.db, settings.cluster, parsed.data.label);
  });

  route(
    app,
    // Tokens of people who logged in by the browser are taken as well.
    { authenticate: deps.authenticateLogin, requests: deps.requests },
    {
      ...{
        method: 'GET',
        url: '/:job/right',
        tag: 'jobs',
        params: z.object({ job: z.union([jobId, z.literal('none')]) }),
      },
      summary: 'Whether the caller may read a job: asked by the router of jobs',
    },
    async ({ caller, params, reply }) => {
      const { id } = await findJob(deps, caller, params.job, 'read');
      void reply.header('cache-control', 'no-store');
      return { job: id };
    },
  );
}

/** Lines of JSON for as long as the router listens: which job has changed, or that anything may have. */
function tellChanges(
  { database, log, signal }: Pick<ApiDeps, 'database' | 'log' | 'signal'>,
  reply: FastifyReply,
): FastifyReply {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  const say = (text: string): void => {
    if (raw.writableLength > MOST_WAITING_BYTES) raw.destroy();
    else if (!raw.writableEnded) raw.write(`${text}\n`);
  };
  const all = (): void => say('{"all":true}');
  const endings = [
    database.notifications.onJobChanged(({ id }) => say(JSON.stringify({ job: id }))),
    // What was notified before is unknown.
    database.notifications.onRenewed(all),
    every(BEAT_MS, log, 'telling a router of jobs that the control API is there', () => say('')),
  ];
  const end = (): void => void raw.end();
  signal.addEventListener('abort', end, { once: true });
  raw.once('close', () => {
    signal.removeEventListener('abort', end);
    for (const stop of endings) stop();
  });
  all();
  return reply;
}
