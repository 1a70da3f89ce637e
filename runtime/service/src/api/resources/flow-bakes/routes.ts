import { DelosError, MAX_FLOW_BODY_BYTES } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { addBake } from '../../../db/flow/bakes.ts';
import type { FlowBakeRow } from '../../../db/flow/tables.ts';
import type { ApiDeps } from '../../deps.ts';
import { byId, fullId, name, objectId, prefix, shortText, tags, texts } from '../../flow/fields.ts';
import { findFlow, ifThere } from '../../flow/find.ts';
import { noRows, sendList } from '../../flow/lists.ts';
import { flag, route } from '../../route.ts';
import { stillUser } from '../../still-user.ts';
import { findBake } from './find.ts';
import { bakeJson, lastAttempts, shownBake } from './json.ts';
import { bakeListQuery, type ListedBake, listBakes } from './list.ts';

const TAG = 'flows';

const gitInfo = z.object({
  sha: shortText,
  branch: shortText,
  tags: z.array(shortText).max(1_000),
});
const newBake = z.object({
  project_id: objectId,
  batch: name,
  name: name.nullish(),
  tags: tags.default([]),
  params: texts.nullish(),
  /** Of the batch, and of each action that it opens: what each task needs. */
  graphs: z.record(prefix, z.record(fullId, z.array(fullId))),
  meta: z.object({ git_info: gitInfo.nullable().default(null) }).default({ git_info: null }),
});
const withLast = z.object({ fetch_last_attempt: flag });

/** Bakes: runs of batch flows. */
export function flowBakeRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  const { db } = database;
  const show = async (row: FlowBakeRow, fetchLast: boolean | undefined): Promise<unknown> =>
    bakeJson(row, fetchLast === true ? (await lastAttempts(db, [row.id])).get(row.id) : undefined);

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'List bakes of a flow',
      query: bakeListQuery,
      response: z.array(shownBake),
    },
    async ({ query, caller, request, reply }) => {
      const flow = await ifThere(findFlow(deps, caller, query.project_id, 'read'));
      const pages = flow === undefined ? noRows<ListedBake>() : listBakes(db, flow.id, query);
      return sendList(request, reply, pages, ({ row, last }) => bakeJson(row, last));
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      success: [201],
      url: '',
      tag: TAG,
      summary: 'Make a bake',
      body: newBake,
      largestBody: MAX_FLOW_BODY_BYTES,
      response: shownBake,
    },
    async ({ body, caller, reply }) => {
      const flow = await findFlow(deps, caller, body.project_id, 'write');
      const row = await database.tx(async (tx) => {
        await stillUser(tx, caller);
        return addBake(tx, {
          ...body,
          flow: flow.id,
          name: body.name ?? null,
          owner: caller.user,
          params: body.params ?? {},
        });
      });
      deps.log.info({ bake: row.id, flow: flow.id, user: caller.user }, 'bake made');
      return reply.code(201).send(bakeJson(row, undefined));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/by_name',
      tag: TAG,
      summary: 'The newest bake of a name',
      query: withLast.extend({ project_id: objectId, name }),
      response: shownBake,
    },
    async ({ query, caller }) => {
      const flow = await findFlow(deps, caller, query.project_id, 'read');
      const row = await db
        .selectFrom('flow_bakes')
        .selectAll()
        .where('flow', '=', flow.id)
        .where('name', '=', query.name)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(1)
        .executeTakeFirst();
      if (row === undefined) {
        throw new DelosError('ERR_NOT_FOUND', `this flow has no bake named ${JSON.stringify(query.name)}`, {
          hint: 'apolo-flow bakes lists them',
        });
      }
      return show(row, query.fetch_last_attempt);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:id',
      tag: TAG,
      summary: 'One bake',
      params: byId,
      query: withLast,
      response: shownBake,
    },
    async ({ params: { id }, query, caller }) =>
      show(await findBake(deps, caller, id, 'read'), query.fetch_last_attempt),
  );
}
