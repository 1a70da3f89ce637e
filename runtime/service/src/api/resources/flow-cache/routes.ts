import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { clearCache, putCacheEntry } from '../../../db/flow/cache.ts';
import type { FlowCacheEntryRow } from '../../../db/flow/tables.ts';
import type { ApiDeps } from '../../deps.ts';
import { byId, fullId, name, objectId, texts } from '../../flow/fields.ts';
import { findFlow } from '../../flow/find.ts';
import { route } from '../../route.ts';
import { findCacheEntry } from './find.ts';

const TAG = 'flows';

const key = z.object({
  project_id: objectId,
  batch: name,
  /** The task's full id. */
  task_id: fullId,
  /** Hash of all that the task depends on. */
  key: z.string().min(1).max(256),
});
const shown = key.extend({
  id: z.string(),
  created_at: z.string(),
  outputs: texts,
  state: texts,
  raw_id: z.string(),
});
const told = key.extend({ outputs: texts, state: texts, raw_id: z.string().max(128).nullish() });
const cleared = key.pick({ project_id: true }).extend({ batch: name.optional(), task_id: fullId.optional() });

const entryJson = (row: FlowCacheEntryRow): z.infer<typeof shown> => ({
  id: row.id,
  project_id: row.flow,
  batch: row.batch,
  task_id: row.task_id,
  key: row.key,
  created_at: row.created_at.toISOString(),
  outputs: row.outputs,
  state: row.state,
  raw_id: row.raw_id,
});

/** The cache: what tasks have given. Whether an entry is too old is for whoever reads it. */
export function flowCacheRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/by_key',
      tag: TAG,
      summary: 'What a task has given before',
      query: key,
      response: shown,
    },
    async ({ query, caller }) => {
      const flow = await findFlow(deps, caller, query.project_id, 'read');
      const row = await database.db
        .selectFrom('flow_cache_entries')
        .selectAll()
        .where('flow', '=', flow.id)
        .where('batch', '=', query.batch)
        .where('task_id', '=', query.task_id)
        .where('key', '=', query.key)
        .executeTakeFirst();
      if (row === undefined) throw new DelosError('ERR_NOT_FOUND', `the cache has nothing of task ${query.task_id}`);
      return entryJson(row);
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '',
      success: [201],
      tag: TAG,
      summary: 'Keep what a task has given',
      body: told,
      response: shown,
    },
    async ({ body, caller, reply }) => {
      const flow = await findFlow(deps, caller, body.project_id, 'write');
      const row = await database.tx((tx) =>
        putCacheEntry(tx, {
          flow: flow.id,
          batch: body.batch,
          taskId: body.task_id,
          key: body.key,
          outputs: body.outputs,
          state: body.state,
          rawId: body.raw_id ?? '',
        }),
      );
      return reply.code(201).send(entryJson(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      success: [204],
      url: '',
      tag: TAG,
      summary: 'Forget what tasks have given: of a flow, of one batch, or of one task',
      query: cleared,
    },
    async ({ query, caller, reply }) => {
      const flow = await findFlow(deps, caller, query.project_id, 'write');
      await database.tx((tx) => clearCache(tx, flow.id, { batch: query.batch, taskId: query.task_id }));
      deps.log.info({ flow: flow.id, batch: query.batch, user: caller.user }, 'cache cleared');
      return reply.code(204).send();
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One entry of a cache', params: byId, response: shown },
    async ({ params: { id }, caller }) => entryJson(await findCacheEntry(deps, caller, id, 'read')),
  );
}
