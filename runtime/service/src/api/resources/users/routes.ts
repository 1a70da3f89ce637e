import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { heldClusters } from '../../../db/clusters/present.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';
import { traceOf } from '../../trace.ts';
import { askedRights, missingRights } from './check.ts';
import { ACTION, notShared, permissions, shareJob } from './sharing.ts';

const TAG = 'users';
const user = z.object({ user: z.string() });

/**
 * Permissions (/api/v1/users): what project membership gives, shown as the client lists them. Rights for single
 * things are not part of this release.
 */
export function userRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  const requireSelf = (caller: Caller, name: string): void => {
    if (!caller.admin && caller.user !== name) throw notYours(name);
  };

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:user/permissions',
      tag: TAG,
      summary: 'What a user may do',
      params: user,
      query: z.object({ uri: z.string().optional() }),
    },
    async ({ caller, params, query }) => {
      requireSelf(caller, params.user);
      const rows = await db.selectFrom('members').selectAll().where('user_name', '=', params.user).execute();
      const clusters = await heldClusters(db, deps.settings.cluster);
      return clusters
        .flatMap((cluster) =>
          rows.map((row) => ({ uri: `job://${cluster}/${row.org}/${row.project}`, action: ACTION[row.role] })),
        )
        .filter(({ uri }) => query.uri === undefined || uri.startsWith(query.uri.replace(/:$/, '://')));
    },
  );
  for (const [url, summary, answer] of [
    ['/:user/permissions/shared', 'What a user shares', []],
    ['/:user/subroles', "A user's roles", { subroles: [] }],
  ] as const) {
    route(app, deps, { method: 'GET', url, tag: TAG, summary, params: user }, async ({ caller, params }) => {
      requireSelf(caller, params.user);
      return answer;
    });
  }
  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:user/permissions',
      tag: TAG,
      summary: 'Share a job with a member of its project; all else is refused',
      params: user,
      body: permissions,
      success: [201],
    },
    async ({ caller, params, body, request, reply }) => {
      const [permission] = body;
      if (permission === undefined) throw notShared();
      const shared = await shareJob(deps, caller, { user: params.user, permission, trace: traceOf(request) });
      return reply.code(201).send(shared);
    },
  );
  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:user/permissions/check',
      tag: TAG,
      summary: 'Has the caller these rights? Other services ask it, with the token that they were shown',
      params: user,
      body: askedRights,
    },
    async ({ caller, params, body, reply }) => {
      // Not even an administrator: whoever asks is told that the token is this user's.
      if (caller.user !== params.user) throw notYours(params.user);
      const missing = await missingRights(deps, caller, body);
      return missing.length === 0 ? {} : reply.code(403).send({ missing });
    },
  );
  for (const [method, url] of [
    ['DELETE', '/:user/permissions'],
    ['POST', ''],
    ['DELETE', '/:user'],
  ] as const) {
    route(app, deps, { method, url, tag: TAG, summary: 'Refused: project membership gives rights' }, async () => {
      throw notShared();
    });
  }
}

const notYours = (name: string): DelosError =>
  new DelosError('ERR_FORBIDDEN', `the permissions of ${name} are not yours to see`);
