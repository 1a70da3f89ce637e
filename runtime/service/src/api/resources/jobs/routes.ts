import { DelosError, type Right } from '@delos/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { extendLifeSpan, stopJob } from '../../../db/jobs-state.ts';
import type { JobRow } from '../../../db/schema.ts';
import { reserveInTurn } from '../../admit-requests.ts';
import { cancelBakeOf } from '../../bakes/executor-row.ts';
import { handOver } from '../../bakes/hand-over.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { bakeOfExecutor } from '../../flow/executor-job.ts';
import { depsAt } from '../../paths/cluster-paths.ts';
import { route } from '../../route.ts';
import { traceOf } from '../../trace.ts';
import { findJob } from './access.ts';
import { jobJson } from './json.ts';
import { jobListQuery, listJobs, withTransitions } from './list.ts';
import { RenderedJobs } from './rendered.ts';
import { containerJobRequest, parseJobRequest, presetJobRequest } from './request.ts';
import { sendJobs } from './send-jobs.ts';
import { submitJob } from './submit.ts';

const params = z.object({ id: z.string().min(1).max(128) });
const job = z.looseObject({ id: z.string(), status: z.string() });
const TAG = 'jobs';
/** What a list takes in memory while it is sent. */
const LIST_BYTES = 2 ** 19;

/** Jobs: make, list, look, end, extend. */
export function jobRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;
  const rendered = new RenderedJobs(settings);
  const find = async (
    { caller, params, request }: { caller: Caller; params: { id: string }; request: FastifyRequest },
    right: Right,
  ): Promise<JobRow> => findJob(await depsAt(deps, request), caller, params.id, right);
  const show = async (row: JobRow): Promise<unknown> => {
    const [listed] = await withTransitions(database.db, [row]);
    return jobJson(row, listed?.transitions ?? [], settings);
  };

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '',
      tag: TAG,
      summary: 'Make a job. With the query key `from_preset` its fields are flat, without it nested in `container`',
      query: z.object({ from_preset: z.string().optional() }),
      body: z.union([presetJobRequest, containerJobRequest]).or(z.unknown()),
      response: job,
      success: [202],
    },
    async ({ query, request, caller, reply }) => {
      const parsed = parseJobRequest(request.body, query.from_preset !== undefined);
      const by = {
        caller,
        cluster: (await depsAt(deps, request)).settings.cluster,
        authorization: request.headers.authorization,
        idempotencyKey: idempotencyKey(request.headers['idempotency-key']),
        trace: traceOf(request),
      };
      const bake = bakeOfExecutor(parsed.container);
      const row = bake === undefined ? await submitJob(deps, parsed, by) : await handOver(deps, parsed, bake, by);
      return reply.code(202).send(await show(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'List jobs, oldest first; as NDJSON where the client accepts it',
      query: jobListQuery,
      response: z.object({ jobs: z.array(job) }),
    },
    async ({ query, caller, request, reply }) => {
      await reserveInTurn(deps, caller, reply, LIST_BYTES);
      const form = (request.headers.accept ?? '').includes('application/x-ndjson') ? 'lines' : 'document';
      return sendJobs(listJobs(database.db, caller, { query, rendered }), form, reply);
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One job, by id or name', params, response: job },
    async (input) => show(await find(input, 'read')),
  );

  for (const [method, url] of [
    ['DELETE', '/:id'],
    ['POST', '/:id/kill'],
  ] as const) {
    route(
      app,
      deps,
      { method, url, tag: TAG, summary: 'End a job; an ended one is left as it is', params, success: [204] },
      async (input) => {
        const found = await find(input, 'write');
        const end = { status: 'cancelled', reason: 'Killed', description: `killed by ${input.caller.user}` } as const;
        await database.tx(async (tx) => (await cancelBakeOf(tx, found)) || (await stopJob(tx, found.id, end)));
        return input.reply.code(204).send();
      },
    );
  }

  route(
    app,
    deps,
    {
      method: 'PUT',
      url: '/:id/max_run_time_minutes',
      tag: TAG,
      summary: "Extend a job's life-span",
      params,
      body: z.object({ additional_max_run_time_minutes: z.number().int().positive().max(5_256_000) }),
      success: [204],
    },
    async ({ body, reply, ...input }) => {
      const found = await find(input, 'write');
      if (!(await database.tx((tx) => extendLifeSpan(tx, found.id, body.additional_max_run_time_minutes)))) {
        throw new DelosError('ERR_CONFLICT', `job ${found.id} has ended: its life-span cannot be extended`, {
          hint: 'run it again: apolo job generate-run-command prints how',
        });
      }
      return reply.code(204).send();
    },
  );
}

const LONGEST_KEY = 200;

/**
 * What makes two requests one. A part of a longer key would make one of two that differ.
 * @throws DelosError ERR_REQUEST
 */
function idempotencyKey(header: string | readonly string[] | undefined): string | undefined {
  const key = [header ?? ''].flat().join(', ');
  if (key === '') return undefined;
  if (key.length <= LONGEST_KEY && /^[\x20-\x7e]+$/.test(key)) return key;
  throw new DelosError('ERR_REQUEST', `expected at most ${LONGEST_KEY} printable ASCII characters`, {
    where: { field: 'Idempotency-Key' },
    hint: 'a UUID is enough',
  });
}
