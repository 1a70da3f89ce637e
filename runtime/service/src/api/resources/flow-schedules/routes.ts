import { DelosError, MAX_FLOW_BODY_BYTES, madeSchedule, newSchedule, scheduleRun, shownSchedule } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { ApiDeps } from '../../deps.ts';
import { byId, shortText } from '../../flow/fields.ts';
import { route } from '../../route.ts';
import { runOnce } from '../../schedules/run-schedules.ts';
import { findSchedule } from './find.ts';
import { listSchedules, showSchedule } from './json.ts';
import { makeSchedule } from './make.ts';

const TAG = 'flows';

/** Schedules: bakes that are made again and again, at times or when something asks for them. */
export function flowScheduleRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database } = deps;

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '',
      tag: TAG,
      summary: 'List schedules that the caller may see, each with its last runs',
      query: z.object({
        org_name: shortText.optional(),
        project_name: shortText.optional(),
        name: shortText.optional(),
      }),
      response: z.array(shownSchedule),
    },
    ({ query, caller }) => listSchedules(deps, caller, query),
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '',
      success: [201],
      tag: TAG,
      summary: 'Make a schedule. A secret to sign triggers with is told once',
      body: newSchedule,
      largestBody: MAX_FLOW_BODY_BYTES,
      response: madeSchedule,
    },
    async ({ body, caller, reply }) => {
      const { row, secret } = await makeSchedule(deps, body, caller);
      deps.log.info({ schedule: row.id, user: caller.user }, 'schedule made');
      return reply.code(201).send({ ...(await showSchedule(deps, row)), trigger_secret: secret });
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One schedule', params: byId, response: shownSchedule },
    async ({ params: { id }, caller }) => showSchedule(deps, await findSchedule(deps, caller, id, 'read')),
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      url: '/:id',
      success: [204],
      tag: TAG,
      summary: 'Remove a schedule; its bakes stay, and go on',
      params: byId,
    },
    async ({ params: { id }, caller, reply }) => {
      const found = await findSchedule(deps, caller, id, 'write');
      await database.db.deleteFrom('flow_schedules').where('id', '=', found.id).execute();
      deps.log.info({ schedule: found.id, user: caller.user }, 'schedule removed');
      return reply.code(204).send();
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:id/run',
      tag: TAG,
      summary: 'Make the bake of a schedule now, as its owner',
      params: byId,
      response: scheduleRun,
    },
    async ({ params: { id }, caller }) => {
      const found = await findSchedule(deps, caller, id, 'write');
      const run = await database.tx(async (tx) => {
        const held = await tx
          .selectFrom('flow_schedules')
          .selectAll()
          .where('id', '=', found.id)
          .forUpdate()
          .executeTakeFirst();
        return held === undefined ? undefined : runOnce(tx, deps, held, { at: new Date(), cause: 'person' });
      });
      if (run === undefined) throw new DelosError('ERR_CONFLICT', `schedule ${id} was removed meanwhile`);
      return run;
    },
  );
}
