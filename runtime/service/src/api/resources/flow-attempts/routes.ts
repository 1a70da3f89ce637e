import { DelosError, flowAttemptStatus } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { z } from 'zod';
import { addAttempt, changeAttempt } from '../../../db/flow/attempts.ts';
import type { FlowAttemptRow } from '../../../db/flow/tables.ts';
import type { Sized } from '../../../db/within-bytes.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { attemptJson, configsMeta, shownAttempt } from '../../flow/attempt-json.ts';
import { byId, objectId } from '../../flow/fields.ts';
import { bakePlace, findAttempt, ifThere } from '../../flow/find.ts';
import { noRows, pagesOf, sendList } from '../../flow/lists.ts';
import { route } from '../../route.ts';

const TAG = 'flows';
/** Stands for the highest number. */
const LAST = -1;
/** The highest number that one may have. */
const MOST = 1_000_000;

const ofBake = z.object({ bake_id: objectId });
const number = z.number().int().positive().max(MOST);
const told = ofBake.extend({
  number,
  result: flowAttemptStatus,
  /** The job that carries it out. */
  executor_id: objectId.nullish(),
  configs_meta: configsMeta,
});

/** Attempts: each carries a bake out once. */
export function flowAttemptRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;
  const { db } = database;

  async function byNumber(bake: string, wanted: number): Promise<FlowAttemptRow> {
    const row = await db
      .selectFrom('flow_attempts')
      .selectAll()
      .where('bake', '=', bake)
      .$if(wanted !== LAST, (query) => query.where('number', '=', wanted))
      .orderBy('number', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (row !== undefined) return row;
    throw new DelosError('ERR_NOT_FOUND', `bake ${bake} has no attempt${wanted === LAST ? '' : ` ${wanted}`}`, {
      hint: `apolo-flow inspect ${bake} shows the last one`,
    });
  }

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'List attempts of a bake',
      query: ofBake,
      response: z.array(shownAttempt),
    },
    async ({ query, caller, request, reply }) => {
      const bake = await ifThere(bakePlace(deps, caller, query.bake_id, 'read'));
      const pages =
        bake === undefined
          ? noRows<FlowAttemptRow>()
          : pagesOf<FlowAttemptRow, 'flow_attempts'>(db, sql`number`, (last) =>
              db
                .selectFrom('flow_attempts')
                .selectAll()
                .select(sql<number>`pg_column_size(configs_meta #> '{}') + 1000`.as('size'))
                .where('bake', '=', bake.id)
                .where('number', '>', last?.number ?? 0)
                .$castTo<Sized<FlowAttemptRow>>(),
            );
      return sendList(request, reply, pages, attemptJson);
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
      summary: 'Make an attempt',
      body: told,
      response: shownAttempt,
    },
    async ({ body, caller, reply }) => {
      const bake = await bakePlace(deps, caller, body.bake_id, 'write');
      const row = await database.tx((tx) =>
        addAttempt(tx, {
          bake: bake.id,
          number: body.number,
          result: body.result,
          executorId: body.executor_id || null,
          configsMeta: body.configs_meta,
        }),
      );
      deps.log.info({ attempt: row.id, bake: bake.id, user: caller.user }, 'attempt made');
      return reply.code(201).send(attemptJson(row));
    },
  );

  route(
    app,
    deps,
    {
      method: 'PUT',
      url: '/replace',
      tag: TAG,
      summary: 'Say what becomes of an attempt, or who carries it out; one that has ended stays so',
      body: told,
      response: shownAttempt,
    },
    async ({ body, caller }) => {
      const bake = await bakePlace(deps, caller, body.bake_id, 'write');
      const found = await byNumber(bake.id, body.number);
      if (found.engine && body.result !== 'cancelled' && body.result !== found.result) throw ofEngine(found, caller);
      const change = found.engine
        ? { result: body.result }
        : { result: body.result, ...(body.executor_id === undefined ? {} : { executorId: body.executor_id || null }) };
      const row = await database.tx((tx) => changeAttempt(tx, found, change));
      if (row.result !== found.result) {
        deps.log.info({ attempt: row.id, bake: bake.id, result: row.result, user: caller.user }, 'attempt changed');
      }
      return attemptJson(row);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/by_number',
      tag: TAG,
      summary: 'An attempt of a bake by its number; -1 is the last one',
      query: ofBake.extend({ number: z.coerce.number().int().min(LAST).max(MOST) }),
      response: shownAttempt,
    },
    async ({ query, caller }) => {
      const bake = await bakePlace(deps, caller, query.bake_id, 'read');
      return attemptJson(await byNumber(bake.id, query.number));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One attempt', params: byId, response: shownAttempt },
    async ({ params: { id }, caller }) => attemptJson(await findAttempt(deps, caller, id, 'read')),
  );
}

function ofEngine({ bake, number: attempt }: FlowAttemptRow, { user }: Caller): DelosError {
  return new DelosError(
    'ERR_CONFLICT',
    `attempt ${attempt} of ${bake} is carried out by the platform, and not by ${user}`,
    { hint: `apolo-flow cancel ${bake} ends it` },
  );
}
