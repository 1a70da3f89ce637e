import { DelosError } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { sql } from 'kysely';
import { z } from 'zod';
import { requirePresent } from '../../../db/clusters/present.ts';
import { removeFlow } from '../../../db/flow/attempts.ts';
import { addFlow } from '../../../db/flow/flows.ts';
import type { FlowProjectRow } from '../../../db/flow/tables.ts';
import type { Db } from '../../../db/schema.ts';
import type { Sized } from '../../../db/within-bytes.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { byId, name, shortText } from '../../flow/fields.ts';
import { findFlow } from '../../flow/find.ts';
import { pagesOf, sendList } from '../../flow/lists.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import { projectFor } from '../../project-for.ts';
import { authorize } from '../../rights.ts';
import { route } from '../../route.ts';
import { stillUser } from '../../still-user.ts';

const TAG = 'flows';

const shown = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  cluster: z.string(),
  org_name: z.string(),
  project_name: z.string(),
});

const listQuery = z.object({
  name: shortText.optional(),
  cluster: shortText.optional(),
  owner: shortText.optional(),
  project_name: shortText.optional(),
  org_name: shortText.optional(),
});
const byName = listQuery.extend({ name, cluster: shortText });
const newFlow = z.object({
  /** The `id` of project.yml. */
  name,
  project_name: shortText.nullish(),
  cluster: shortText.nullish(),
  org_name: shortText.nullish(),
});

const flowJson = (row: FlowProjectRow): z.infer<typeof shown> => ({
  id: row.id,
  name: row.name,
  owner: row.owner,
  cluster: row.cluster,
  org_name: row.org,
  project_name: row.project,
});

/** Flows, which apolo-flow calls projects: each belongs to a project of the platform, and has everything else of it. */
export function flowProjectRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { database, settings } = deps;

  route(
    app,
    deps,
    { method: 'GET', url: '', tag: TAG, summary: 'List flows', query: listQuery, response: z.array(shown) },
    async ({ query, caller, request, reply }) =>
      sendList(request, reply, listFlows(database.db, caller, query), flowJson),
  );

  route(
    app,
    deps,
    { method: 'POST', url: '', success: [201], tag: TAG, summary: 'Make a flow', body: newFlow, response: shown },
    async ({ body, caller, reply }) => {
      const row = await database.tx(async (tx) => {
        await stillUser(tx, caller);
        const project = await projectFor(tx, { org: body.org_name || null, name: body.project_name || null }, caller);
        const cluster = await requirePresent(tx, settings.cluster, body.cluster || settings.cluster);
        return addFlow(tx, { cluster, org: project.org, project: project.name, name: body.name, owner: caller.user });
      });
      deps.log.info({ flow: row.id, user: caller.user }, 'flow made');
      return reply.code(201).send(flowJson(row));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/by_name', tag: TAG, summary: 'A flow by its name', query: byName, response: shown },
    async ({ query, caller }) => {
      // Of projects with one name in several organizations, those that the caller may see count.
      const rows = await database.db
        .selectFrom('flow_projects')
        .selectAll()
        .where('name', '=', query.name)
        .where('cluster', '=', query.cluster)
        .where('project', '=', query.project_name ?? query.owner ?? caller.user)
        .$if(Boolean(query.org_name), (select) => select.where('org', '=', query.org_name ?? ''))
        .$if(!caller.admin, (select) => select.where(ofProjects(caller)))
        .orderBy('org')
        .limit(1)
        .execute();
      const unknown = (): DelosError =>
        new DelosError('ERR_NOT_FOUND', `there is no flow ${JSON.stringify(query.name)} in this project`);
      return flowJson(authorize(caller, rows[0], 'read', unknown));
    },
  );

  route(
    app,
    deps,
    { method: 'GET', url: '/:id', tag: TAG, summary: 'One flow', params: byId, response: shown },
    async ({ params: { id }, caller }) => flowJson(await findFlow(deps, caller, id, 'read')),
  );

  route(
    app,
    deps,
    {
      method: 'DELETE',
      success: [204],
      url: '/:id',
      tag: TAG,
      summary: 'Remove a flow with its bakes, its cache and all else; jobs that run go on',
      params: byId,
    },
    async ({ params: { id }, caller, reply }) => {
      const found = await findFlow(deps, caller, id, 'write');
      await database.tx((tx) => removeFlow(tx, found.id));
      deps.log.info({ flow: found.id, name: found.name, user: caller.user }, 'flow removed');
      return reply.code(204).send();
    },
  );
}

function listFlows(
  db: Db,
  caller: Caller,
  query: z.infer<typeof listQuery>,
): AsyncGenerator<readonly FlowProjectRow[]> {
  return pagesOf<FlowProjectRow, 'flow_projects'>(db, sql`id`, (last) =>
    db
      .selectFrom('flow_projects')
      .selectAll()
      .select(sql<number>`pg_column_size(flow_projects.*)`.as('size'))
      .where('id', '>', last?.id ?? '')
      .$if(query.name !== undefined, (select) => select.where('name', '=', query.name ?? ''))
      .$if(query.cluster !== undefined, (select) => select.where('cluster', '=', query.cluster ?? ''))
      .$if(query.owner !== undefined, (select) => select.where('owner', '=', query.owner ?? ''))
      .$if(query.project_name !== undefined, (select) => select.where('project', '=', query.project_name ?? ''))
      .$if(query.org_name !== undefined, (select) => select.where('org', '=', query.org_name ?? ''))
      .$if(!caller.admin, (select) => select.where(ofProjects(caller)))
      .$castTo<Sized<FlowProjectRow>>(),
  );
}
