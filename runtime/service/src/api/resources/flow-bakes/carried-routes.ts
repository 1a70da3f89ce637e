import {
  BAKE_MINUTES,
  bakeDifference,
  bakeReport,
  bakeRestart,
  bakeSubmission,
  carriedBake,
  DelosError,
  listedBake,
  MAX_FLOW_BODY_BYTES,
} from '@delos/core';
import { bakePicture, MOST_DRAWN } from '@delos/engine';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { changeAttempt } from '../../../db/flow/attempts.ts';
import { compareBakes } from '../../bakes/compare.ts';
import { readBake } from '../../bakes/report.ts';
import { restartBake } from '../../bakes/restart.ts';
import { submitBake } from '../../bakes/submit.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { attemptJson, shownAttempt } from '../../flow/attempt-json.ts';
import { byId, objectId } from '../../flow/fields.ts';
import { bakePlace } from '../../flow/find.ts';
import { route } from '../../route.ts';
import { traceOf } from '../../trace.ts';
import type { Submitter } from '../jobs/submit.ts';
import { lastAttempts } from './json.ts';
import { recentBakes, recentQuery } from './recent.ts';

const TAG = 'flows';
const ofAttempt = z.object({ attempt: z.coerce.number().int().default(-1) });

/** Bakes as the platform carries them out: made, restarted and cancelled in one request each, reported and drawn. */
export function carriedBakeRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;
  const submitter = (caller: Caller, request: FastifyRequest): Submitter => ({
    caller,
    cluster: settings.cluster,
    authorization: request.headers.authorization,
    trace: traceOf(request),
  });

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/recent',
      tag: TAG,
      summary: 'The newest bakes that the caller may see, without their graphs',
      query: recentQuery,
      response: z.array(listedBake),
    },
    ({ query, caller }) => recentBakes(database.db, caller, query),
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/submit',
      success: [201],
      tag: TAG,
      summary: 'Make a bake of files, all at once, and have the platform carry it out',
      body: bakeSubmission,
      largestBody: MAX_FLOW_BODY_BYTES,
      response: carriedBake,
    },
    async ({ body, caller, request, reply }) =>
      reply.code(201).send(await submitBake(deps, body, submitter(caller, request))),
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:id/restart',
      success: [201],
      tag: TAG,
      summary: 'Carry a bake that has ended out once more: all of it, what had not succeeded, or from a task on',
      params: byId,
      body: bakeRestart,
      response: carriedBake,
    },
    async ({ params: { id }, body, caller, request, reply }) => {
      const bake = await bakePlace(deps, caller, id, 'write');
      const restart = { ...body, minutes: BAKE_MINUTES };
      return reply.code(201).send(await restartBake(deps, bake.id, restart, submitter(caller, request)));
    },
  );

  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:id/cancel',
      tag: TAG,
      summary: 'Cancel the last attempt of a bake; tasks that run whatever happens still do',
      params: byId,
      response: shownAttempt,
    },
    async ({ params: { id }, caller }) => {
      const bake = await bakePlace(deps, caller, id, 'write');
      const last = (await lastAttempts(database.db, [bake.id])).get(bake.id);
      if (last === undefined)
        throw new DelosError('ERR_CONFLICT', `bake ${bake.id} has no attempt: nothing of it runs`);
      const row = await database.tx((tx) => changeAttempt(tx, last, { result: 'cancelled' }));
      deps.log.info({ attempt: row.id, bake: bake.id, result: row.result, user: caller.user }, 'a bake was cancelled');
      return attemptJson(row);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:id/report',
      tag: TAG,
      summary: 'What became of a bake: its tasks with times, reasons and where their results come from',
      params: byId,
      query: ofAttempt,
      response: bakeReport,
    },
    async ({ params: { id }, query, caller }) => {
      const bake = await bakePlace(deps, caller, id, 'read');
      return (await readBake(database.db, bake.id, query.attempt, Date.now())).report;
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:id/picture',
      tag: TAG,
      summary: 'A bake over time, with its critical path, as SVG',
      params: byId,
      query: ofAttempt,
      response: z.string(),
    },
    async ({ params: { id }, query, caller, reply }) => {
      const bake = await bakePlace(deps, caller, id, 'read');
      const now = Date.now();
      const { report, nesting } = await readBake(database.db, bake.id, query.attempt, now);
      if (report.tasks.length > MOST_DRAWN) {
        throw new DelosError(
          'ERR_QUOTA_EXCEEDED',
          `bake ${id} has ${report.tasks.length} tasks, at most ${MOST_DRAWN} are drawn`,
        );
      }
      const title = `${report.name ?? report.id} (${report.batch}): ${report.result}`;
      const drawn = bakePicture(nesting, { title, critical: new Set(report.critical_path), now });
      return reply.type('image/svg+xml; charset=utf-8').send(drawn);
    },
  );

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:id/diff',
      tag: TAG,
      summary: 'What changed from this bake to another: files, parameters, images, and what the cache gave',
      params: byId,
      query: z.object({ with: objectId }),
      response: bakeDifference,
    },
    async ({ params: { id }, query, caller }) => {
      const before = await bakePlace(deps, caller, id, 'read');
      const after = await bakePlace(deps, caller, query.with, 'read');
      return compareBakes(database.db, before.id, after.id, Date.now());
    },
  );
}
