import { DelosError, SHARED_KINDS } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { heldClusters } from '../../../db/clusters/present.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';
import { traceOf } from '../../trace.ts';
import { askedRights, missingRights } from './check.ts';
import { ACTION, permissions, share, unshare } from './sharing.ts';

const TAG = 'users';
const user = z.object({ user: z.string() });

/** Most that one answer has of what somebody has given. */
const MOST_SHOWN = 5_000;

/** Permissions (/api/v1/users): what roles in projects give, and what people share one by one. */
export function userRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  /** One's own, those of one's service accounts, and all for the administrator. @returns the account's id */
  const ownOrManaged = async (caller: Caller, name: string): Promise<number> => {
    const named = await db
      .selectFrom('users')
      .leftJoin('service_accounts', 'service_accounts.user_id', 'users.id')
      .select(['users.id', 'service_accounts.owner_id'])
      .where('users.name', '=', name)
      .where('users.removed_at', 'is', null)
      .executeTakeFirst();
    const may = caller.admin || named?.id === caller.id || named?.owner_id === caller.id;
    if (named === undefined || !may) throw notYours(name);
    return named.id;
  };
  const matching = (uri: string, wanted: string | undefined): boolean =>
    wanted === undefined || uri.startsWith(wanted.replace(/:$/, '://'));

  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:user/permissions',
      tag: TAG,
      summary: 'What a user may do, by roles in projects and by grants',
      params: user,
      query: z.object({ uri: z.string().max(1000).optional() }),
    },
    async ({ caller, params, query }) => {
      const { roles, grants = [] } = await deps.callerById(await ownOrManaged(caller, params.user));
      const clusters = await heldClusters(db, deps.settings.cluster);
      const byRoles = [...roles].flatMap(([project, role]) =>
        clusters.flatMap((cluster) =>
          SHARED_KINDS.map((kind) => ({ uri: `${kind}://${cluster}/${project}`, action: ACTION[role] })),
        ),
      );
      return [...byRoles, ...grants].filter(({ uri }) => matching(uri, query.uri));
    },
  );
  route(
    app,
    deps,
    {
      method: 'GET',
      url: '/:user/permissions/shared',
      tag: TAG,
      summary: 'What a user has given to others',
      params: user,
      query: z.object({ uri: z.string().max(1000).optional() }),
    },
    async ({ caller, params, query }) => {
      await ownOrManaged(caller, params.user);
      const rows = await db
        .selectFrom('grants')
        .innerJoin('users', 'users.id', 'grants.user_id')
        .select(['users.name as user', 'grants.uri', 'grants.action'])
        .where('grants.given_by', '=', params.user)
        .where('users.removed_at', 'is', null)
        .orderBy('grants.uri')
        .limit(MOST_SHOWN)
        .execute();
      return rows.filter(({ uri }) => matching(uri, query.uri));
    },
  );
  route(
    app,
    deps,
    { method: 'GET', url: '/:user/subroles', tag: TAG, summary: "A user's roles: there are none", params: user },
    async ({ caller, params }) => {
      await ownOrManaged(caller, params.user);
      return { subroles: [] };
    },
  );
  route(
    app,
    deps,
    {
      method: 'POST',
      url: '/:user/permissions',
      tag: TAG,
      summary: 'Share something, and all that is below it',
      params: user,
      body: permissions,
      success: [201],
    },
    async ({ caller, params, body, request, reply }) => {
      const [permission] = body;
      if (permission === undefined) throw notYours(params.user);
      const shared = await share(deps, caller, { user: params.user, permission, trace: traceOf(request) });
      return reply.code(201).send(shared);
    },
  );
  route(
    app,
    deps,
    {
      method: 'DELETE',
      url: '/:user/permissions',
      tag: TAG,
      summary: 'Take back what was shared',
      params: user,
      query: z.object({ uri: z.string().max(1000) }),
      success: [204],
    },
    async ({ caller, params, query, reply }) => {
      await unshare(deps, caller, params.user, query.uri);
      return reply.code(204).send();
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
    ['POST', ''],
    ['DELETE', '/:user'],
  ] as const) {
    route(app, deps, { method, url, tag: TAG, summary: 'Refused: there are no roles of one’s own' }, async () => {
      throw new DelosError('ERR_NOT_IMPLEMENTED', 'roles of one’s own are not part of this release of Delos', {
        hint: 'share with a user, or with a service account',
      });
    });
  }
}

const notYours = (name: string): DelosError =>
  new DelosError('ERR_FORBIDDEN', `the permissions of ${name} are not yours to see`);
