import { once } from 'node:events';
import { DelosError } from '@delos/core';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { extendLifeSpan, stopJob } from '../../../db/jobs-state.ts';
import type { Db, JobRow } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { httpError } from '../../http-errors.ts';
import { route } from '../../route.ts';
import { createJob } from './create.ts';
import { jobJson } from './json.ts';
import { jobListQuery, listJobs, withTransitions } from './list.ts';
import { containerJobRequest, parseJobRequest, presetJobRequest } from './request.ts';

const params = z.object({ id: z.string().min(1).max(128) });
const job = z.looseObject({ id: z.string(), status: z.string() });
const TAG = 'jobs';

/** Jobs: make, list, look, end, extend. Registered under /api/v1. */
export function jobRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;
  const show = async (row: JobRow): Promise<unknown> => {
    const [listed] = await withTransitions(database.db, [row]);
    return jobJson(row, listed?.transitions ?? []);
  };

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/jobs',
      tag: TAG,
      summary: 'Make a job. With the query key `from_preset` its fields are flat, without it nested in `container`',
      query: z.object({ from_preset: z.string().optional() }),
      body: z.union([presetJobRequest, containerJobRequest]).or(z.unknown()),
      response: job,
    },
    async ({ query, request, caller, reply }) => {
      const parsed = parseJobRequest(request.body, query.from_preset !== undefined);
      const key = request.headers['idempotency-key'];
      const context = {
        cluster: settings.cluster,
        caller,
        idempotencyKey: typeof key === 'string' && key !== '' ? key.slice(0, 200) : undefined,
      };
      const row = await database.tx((tx) => createJob(tx, parsed, context));
      deps.log.info({ job: row.id, user: caller.user, preset: row.preset }, 'job made');
      return reply.code(202).send(await show(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/jobs',
      tag: TAG,
      summary: 'List jobs, oldest first; as NDJSON where the client accepts it',
      query: jobListQuery,
      response: z.object({ jobs: z.array(job) }),
    },
    async ({ query, caller, request, reply }) => {
      if ((request.headers.accept ?? '').includes('application/x-ndjson')) {
        return streamJobs(database.db, caller, query, reply);
      }
      const jobs: unknown[] = [];
      for await (const batch of listJobs(database.db, caller, query)) {
        jobs.push(...batch.map(({ row, transitions }) => jobJson(row, transitions)));
      }
      return { jobs };
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/jobs/:id', tag: TAG, summary: 'One job, by id or name', params, response: job },
    async ({ params, caller }) => show(await deps.jobFor(caller, params.id, 'read')),
  );

  for (const [method, url] of [
    ['DELETE', '/jobs/:id'],
    ['POST', '/jobs/:id/kill'],
  ] as const) {
    route(
      app,
      deps,
      { method, url, tag: TAG, summary: 'End a job; an ended one is left as it is', params },
      async (input) => {
        const found = await deps.jobFor(input.caller, input.params.id, 'write');
        const end = { status: 'cancelled', reason: 'Killed', description: `killed by ${input.caller.user}` } as const;
        await database.tx((tx) => stopJob(tx, found.id, end));
        return input.reply.code(204).send();
      },
    );
  }

  route(
    app,
    deps,
    {
      method: 'PUT',
      url: '/jobs/:id/max_run_time_minutes',
      tag: TAG,
      summary: "Extend a job's life-span",
      params,
      body: z.object({ additional_max_run_time_minutes: z.number().int().positive().max(5_256_000) }),
    },
    async ({ params, body, caller, reply }) => {
      const found = await deps.jobFor(caller, params.id, 'write');
      if (!(await database.tx((tx) => extendLifeSpan(tx, found.id, body.additional_max_run_time_minutes)))) {
        throw new DelosError('ERR_CONFLICT', `job ${found.id} has ended: its life-span cannot be extended`, {
          hint: 'run it again: apolo job generate-run-command prints how',
        });
      }
      return reply.code(204).send();
    },
  );
}

async function streamJobs(
  db: Db,
  caller: Caller,
  query: z.infer<typeof jobListQuery>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  reply.hijack();
  const { raw } = reply;
  raw.writeHead(200, { 'content-type': 'application/x-ndjson' });
  // Once the status is sent, an error can be told in the stream alone.
  try {
    for await (const batch of listJobs(db, caller, query)) {
      const lines = batch.map(({ row, transitions }) => `${JSON.stringify(jobJson(row, transitions))}\n`);
      if (!raw.write(lines.join(''))) await Promise.race([once(raw, 'drain'), once(raw, 'close')]);
      if (raw.destroyed) return reply;
    }
  } catch (error) {
    reply.log.error({ error }, 'listing jobs failed');
    raw.write(`${JSON.stringify({ error: httpError(error).body.error })}\n`);
  }
  raw.end();
  return reply;
}
