import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { z } from 'zod';
import type { FlowTaskRow } from '../../../db/flow/tables.ts';
import { addTask, replaceTask, type ToldTask } from '../../../db/flow/tasks.ts';
import type { Db } from '../../../db/schema.ts';
import type { Sized } from '../../../db/within-bytes.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { byId, fullId, objectId, statuses, texts } from '../../flow/fields.ts';
import { type AttemptOfFlow, findAttempt, ifThere, unknown } from '../../flow/find.ts';
import { noRows, pagesOf, sendList } from '../../flow/lists.ts';
import { route } from '../../route.ts';
import { findTask } from './find.ts';

const TAG = 'flows';

const shown = z.object({
  id: z.string(),
  yaml_id: z.string(),
  attempt_id: z.string(),
  /** Its job; empty: it has none. */
  raw_id: z.string(),
  outputs: texts.nullable(),
  state: texts.nullable(),
  /** The oldest first. */
  statuses,
});
const ofAttempt = z.object({ attempt_id: objectId });
const GIVES: readonly string[] = ['succeeded', 'cached'];
const told = ofAttempt
  .extend({
    /** Its full id. */
    yaml_id: fullId,
    raw_id: objectId.or(z.literal('')).nullish(),
    outputs: texts.nullish(),
    state: texts.nullish(),
    statuses,
  })
  .refine(
    (task) =>
      !task.statuses.some(({ status }) => GIVES.includes(status)) || (task.outputs != null && task.state != null),
    { path: ['outputs'], message: 'a task that has succeeded has outputs and a state, be they empty' },
  );

const taskJson = (row: FlowTaskRow): z.infer<typeof shown> => ({
  id: row.id,
  yaml_id: row.yaml_id,
  attempt_id: row.attempt,
  raw_id: row.raw_id ?? '',
  outputs: row.outputs,
  state: row.state,
  statuses: [...row.statuses],
});

/** What becomes of the tasks of an attempt. */
export function flowTaskRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  const { db } = database;

  /** @throws DelosError ERR_CONFLICT for an attempt whose tasks the platform's engine writes */
  async function writable(caller: Caller, id: string): Promise<AttemptOfFlow> {
    const attempt = await findAttempt(deps, caller, id, 'write');
    if (!attempt.engine) return attempt;
    throw new DelosError('ERR_CONFLICT', `attempt ${id} is carried out by the platform, and not by ${caller.user}`);
  }

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'List tasks of an attempt, as they were made',
      query: ofAttempt,
      response: z.array(shown),
    },
    async ({ query, caller, request, reply }) => {
      const attempt = await ifThere(findAttempt(deps, caller, query.attempt_id, 'read'));
      const pages = attempt === undefined ? noRows<FlowTaskRow>() : listTasks(db, attempt.id);
      return sendList(request, reply, pages, taskJson);
    },
  );

  route(
    app,
    deps,
    { method: 'POST', url: '', success: [201], tag: TAG, summary: 'Tell of a new task', body: told, response: shown },
    async ({ body, caller, reply }) => {
      const attempt = await writable(caller, body.attempt_id);
      const row = await database.tx((tx) => addTask(tx, attempt, toldOf(body)));
      return reply.code(201).send(taskJson(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'PUT',
      url: '/replace',
      tag: TAG,
      summary: 'Tell what has become of a task',
      body: told,
      response: shown,
    },
    async ({ body, caller }) => {
      const attempt = await writable(caller, body.attempt_id);
      return taskJson(await database.tx((tx) => replaceTask(tx, attempt, toldOf(body))));
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/by_yaml_id',
      tag: TAG,
      summary: 'A task of an attempt by its full id',
      query: ofAttempt.extend({ yaml_id: fullId }),
      response: shown,
    },
    async ({ query, caller }) => {
      const attempt = await findAttempt(deps, caller, query.attempt_id, 'read');
      const row = await db
        .selectFrom('flow_tasks')
        .selectAll()
        .where('attempt', '=', attempt.id)
        .where('yaml_id', '=', query.yaml_id)
        .executeTakeFirst();
      if (row === undefined) throw unknown('task', query.yaml_id, 'apolo-flow inspect BAKE lists them')();
      return taskJson(row);
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One task', params: byId, response: shown },
    async ({ params: { id }, caller }) => taskJson(await findTask(deps, caller, id, 'read')),
  );
}

const toldOf = (body: z.infer<typeof told>): ToldTask => ({
  yamlId: body.yaml_id,
  rawId: body.raw_id || null,
  outputs: body.outputs ?? null,
  state: body.state ?? null,
  statuses: body.statuses,
});

function listTasks(db: Db, attempt: string): AsyncGenerator<readonly FlowTaskRow[]> {
  return pagesOf<FlowTaskRow, 'flow_tasks'>(db, sql`seq`, (last) =>
    db
      .selectFrom('flow_tasks')
      .selectAll()
      .select(
        sql<number>`coalesce(pg_column_size(outputs #> '{}'), 0) + coalesce(pg_column_size(state #> '{}'), 0)
          + pg_column_size(statuses #> '{}') + octet_length(yaml_id) + 200`.as('size'),
      )
      .where('attempt', '=', attempt)
      .where('seq', '>', last?.seq ?? 0)
      .$castTo<Sized<FlowTaskRow>>(),
  );
}
