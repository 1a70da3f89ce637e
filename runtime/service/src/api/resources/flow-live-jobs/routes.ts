import { randomUUID } from 'node:crypto';
import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { z } from 'zod';
import { holdFlow, isUnique } from '../../../db/flow/bakes.ts';
import { MOST_LIVE_JOBS } from '../../../db/flow/limits.ts';
import type { FlowLiveJobRow } from '../../../db/flow/tables.ts';
import type { Tx } from '../../../db/schema.ts';
import type { Sized } from '../../../db/within-bytes.ts';
import type { ApiDeps } from '../../deps.ts';
import { byId, name, objectId, shortText, tags } from '../../flow/fields.ts';
import { findFlow, ifThere, unknown } from '../../flow/find.ts';
import { noRows, pagesOf, sendList } from '../../flow/lists.ts';
import { route } from '../../route.ts';
import { findLiveJob } from './find.ts';

const TAG = 'flows';

const shown = z.object({
  id: z.string(),
  yaml_id: z.string(),
  project_id: z.string(),
  multi: z.boolean(),
  tags: z.array(z.string()),
  raw_id: z.string(),
});
const ofFlow = z.object({ project_id: objectId });
const told = z.object({
  project_id: objectId,
  yaml_id: name,
  multi: z.boolean(),
  tags,
  raw_id: shortText.nullish(),
});
type Told = z.infer<typeof told>;

const liveJobJson = (row: FlowLiveJobRow): z.infer<typeof shown> => ({
  id: row.id,
  yaml_id: row.yaml_id,
  project_id: row.flow,
  multi: row.multi,
  tags: row.tags,
  raw_id: row.raw_id ?? '',
});

/** What live.yml lists. What runs of it is found among jobs. */
export function flowLiveJobRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;

  route(
    app,
    deps,
    { method: 'GET', url: '', tag: TAG, summary: 'List live jobs of a flow', query: ofFlow, response: z.array(shown) },
    async ({ query: { project_id: id }, caller, request, reply }) => {
      const flow = await ifThere(findFlow(deps, caller, id, 'read'));
      const pages =
        flow === undefined
          ? noRows<FlowLiveJobRow>()
          : pagesOf<FlowLiveJobRow, 'flow_live_jobs'>(database.db, sql`yaml_id`, (last) =>
              database.db
                .selectFrom('flow_live_jobs')
                .selectAll()
                .select(sql<number>`pg_column_size(flow_live_jobs.*)`.as('size'))
                .where('flow', '=', flow.id)
                .where('yaml_id', '>', last?.yaml_id ?? '')
                .$castTo<Sized<FlowLiveJobRow>>(),
            );
      return sendList(request, reply, pages, liveJobJson);
    },
  );

  route(
    app,
    deps,
    { method: 'POST', url: '', success: [201], tag: TAG, summary: 'Tell of a live job', body: told, response: shown },
    async ({ body, caller, reply }) => {
      await findFlow(deps, caller, body.project_id, 'write');
      const row = await database.tx(async (tx) => {
        await holdFlow(tx, body.project_id);
        return add(tx, body);
      });
      return reply.code(201).send(liveJobJson(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'PUT',
      success: [201],
      url: '/replace',
      tag: TAG,
      summary: 'Tell of a live job; what was told of it before is replaced',
      body: told,
      response: shown,
    },
    async ({ body, caller, reply }) => {
      await findFlow(deps, caller, body.project_id, 'write');
      const row = await database.tx(async (tx) => {
        await holdFlow(tx, body.project_id);
        return (await replace(tx, body)) ?? (await add(tx, body));
      });
      return reply.code(201).send(liveJobJson(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/by_yaml_id',
      tag: TAG,
      summary: 'A live job by its id in live.yml',
      query: ofFlow.extend({ yaml_id: name }),
      response: shown,
    },
    async ({ query, caller }) => {
      const flow = await findFlow(deps, caller, query.project_id, 'read');
      const row = await database.db
        .selectFrom('flow_live_jobs')
        .selectAll()
        .where('flow', '=', flow.id)
        .where('yaml_id', '=', query.yaml_id)
        .executeTakeFirst();
      if (row === undefined) throw unknown('live job', query.yaml_id, 'apolo-flow run tells of all jobs of live.yml')();
      return liveJobJson(row);
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One live job', params: byId, response: shown },
    async ({ params: { id }, caller }) => liveJobJson(await findLiveJob(deps, caller, id, 'read')),
  );
}

const columns = ({ multi, tags: all, raw_id: raw }: Told) => ({ multi, tags: [...all], raw_id: raw || null });

async function replace(tx: Tx, job: Told): Promise<FlowLiveJobRow | undefined> {
  return tx
    .updateTable('flow_live_jobs')
    .set(columns(job))
    .where('flow', '=', job.project_id)
    .where('yaml_id', '=', job.yaml_id)
    .returningAll()
    .executeTakeFirst();
}

async function add(tx: Tx, job: Told): Promise<FlowLiveJobRow> {
  const { count } = await tx
    .selectFrom('flow_live_jobs')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('flow', '=', job.project_id)
    .executeTakeFirstOrThrow();
  if (count >= MOST_LIVE_JOBS) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `this flow has told of ${count} live jobs, the most`, {
      hint: 'apolo-flow delete-flow forgets them',
    });
  }
  return tx
    .insertInto('flow_live_jobs')
    .values({ id: `live-job-${randomUUID()}`, flow: job.project_id, yaml_id: job.yaml_id, ...columns(job) })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      if (!isUnique(error, 'flow_live_jobs_name')) throw error;
      throw new DelosError('ERR_CONFLICT', `this flow has a live job ${JSON.stringify(job.yaml_id)} already`);
    });
}
