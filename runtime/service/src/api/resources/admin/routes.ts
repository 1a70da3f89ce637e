import { DelosError, type Quota } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { presentClusters } from '../../../db/clusters/present.ts';
import type { Db } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';
import { balanceOfOrg } from '../credits/index.ts';
import { balanceRoute } from './balance.ts';

/*
 * The read side of the administration API (/apis/admin/v1): what the configuration says about clusters,
 * organizations, projects and their members. Changes are made in delos.yaml, and refused here.
 */

const TAG = 'admin';

export function adminRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  const present = () => presentClusters(db, deps.settings.cluster);
  const path = z.object({
    cluster: z.string().optional(),
    org: z.string().optional(),
    project: z.string().optional(),
    user: z.string().optional(),
  });
  const get = (
    url: string,
    summary: string,
    handler: (caller: Caller, params: z.infer<typeof path>) => Promise<unknown>,
  ) =>
    route(app, deps, { method: 'GET', url, tag: TAG, summary, params: path }, async ({ caller, params }) => {
      const { cluster } = params;
      if (cluster !== undefined && !(await present()).includes(cluster)) throw notFound(`cluster ${cluster}`);
      if (params.org !== undefined) requireOrg(caller, params.org);
      return handler(caller, params);
    });

  get('/clusters', 'Clusters', async () =>
    (await present()).map((name) => ({ name, default_role: 'user', maintenance: false })),
  );
  get('/orgs', 'Organizations of the caller', async (caller) => (await orgs(db, caller)).map(({ name }) => ({ name })));
  get('/orgs/:org/users', 'Users of an organization', async (caller, { org = '' }) =>
    [...new Set((await members(db, caller, org)).map((member) => member.user_name))].map(orgUserJson),
  );
  get('/orgs/:org/users/:user', 'One user of an organization', async (caller, { org = '', user = '' }) => {
    if (!(await members(db, caller, org)).some((member) => member.user_name === user)) throw notFound(`user ${user}`);
    return orgUserJson(user);
  });
  get('/clusters/:cluster/orgs', 'Organizations on a cluster', async (caller) =>
    Promise.all((await orgs(db, caller)).map((org) => orgJson(db, org))),
  );
  get('/clusters/:cluster/orgs/:org', 'One organization on a cluster', async (_caller, { org = '' }) =>
    orgJson(db, await organization(db, org)),
  );
  for (const scope of ['/clusters/:cluster', '/clusters/:cluster/orgs/:org']) {
    get(`${scope}/users`, 'Users', async (caller, { org }) => {
      const names = (await members(db, caller, org)).map((member) => member.user_name);
      return [...new Set(names)].map((name) => userJson(name, org, undefined));
    });
    get(`${scope}/users/:user`, 'One user', async (caller, { org, user = '' }) => {
      const known =
        user === caller.user || (await members(db, caller, org)).some((member) => member.user_name === user);
      if (!known) throw notFound(`user ${user}`);
      const quota = org === undefined ? undefined : (await organization(db, org)).quota;
      return userJson(user, org, quota);
    });
    get(`${scope}/projects`, 'Projects', async (caller, { cluster = '', org }) =>
      (await projects(db, caller, org)).map((project, index) => projectJson(cluster, project, index)),
    );
    get(`${scope}/projects/:project/users`, 'Members of a project', async (caller, { cluster = '', org, project }) =>
      (await members(db, caller, org))
        .filter((member) => member.project === project)
        .map((member) => ({
          user_name: member.user_name,
          cluster_name: cluster,
          org_name: member.org,
          project_name: member.project,
          role: member.role,
          user_info: { email: '' },
        })),
    );
  }
  balanceRoute(app, deps);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    route(app, deps, { method, url: '/*', tag: TAG, summary: 'Refused: the configuration file says it' }, async () => {
      throw new DelosError('ERR_NOT_IMPLEMENTED', 'organizations, projects, members and quotas are set in delos.yaml', {
        hint: 'change it there and run: delos up',
      });
    });
  }
}

function requireOrg(caller: Caller, org: string): void {
  if (caller.admin || [...caller.roles.keys()].some((key) => key.startsWith(`${org}/`))) return;
  throw notFound(`organization ${org}`);
}

function notFound(what: string): DelosError {
  return new DelosError('ERR_NOT_FOUND', `there is no ${what}, or it is not yours to see`);
}

interface Organization {
  readonly name: string;
  readonly quota: Quota;
}

async function orgs(db: Db, caller: Caller): Promise<readonly Organization[]> {
  const rows = await db
    .selectFrom('organizations')
    .select(['name', 'quota'])
    .where('retired', '=', false)
    .orderBy('position')
    .execute();
  return rows.filter(({ name }) => caller.admin || [...caller.roles.keys()].some((key) => key.startsWith(`${name}/`)));
}

async function organization(db: Db, name: string): Promise<Organization> {
  const row = await db
    .selectFrom('organizations')
    .select(['name', 'quota'])
    .where('name', '=', name)
    .executeTakeFirst();
  if (row === undefined) throw notFound(`organization ${name}`);
  return row;
}

async function projects(db: Db, caller: Caller, org: string | undefined) {
  const rows = await db
    .selectFrom('projects')
    .innerJoin('organizations', 'organizations.name', 'projects.org')
    .select(['projects.org', 'projects.name'])
    .where('projects.retired', '=', false)
    .$if(org !== undefined, (query) => query.where('projects.org', '=', org ?? ''))
    .orderBy('organizations.position')
    .orderBy('projects.position')
    .execute();
  return rows.filter((row) => caller.admin || caller.roles.has(`${row.org}/${row.name}`));
}

async function members(db: Db, caller: Caller, org: string | undefined) {
  const rows = await db
    .selectFrom('members')
    .selectAll()
    .$if(org !== undefined, (query) => query.where('org', '=', org ?? ''))
    .orderBy('user_name')
    .execute();
  return rows.filter((row) => caller.admin || caller.roles.has(`${row.org}/${row.project}`));
}

function quotaJson(quota: Quota | undefined): Record<string, unknown> {
  return quota?.runningJobs === undefined ? {} : { total_running_jobs: quota.runningJobs };
}

async function orgJson(db: Db, org: Organization): Promise<Record<string, unknown>> {
  return {
    org_name: org.name,
    default_role: 'user',
    maintenance: false,
    quota: quotaJson(org.quota),
    balance: await balanceOfOrg(db, org.name),
  };
}

function userJson(user: string, org: string | undefined, quota: Quota | undefined): Record<string, unknown> {
  return {
    user_name: user,
    role: 'user',
    ...(org === undefined ? {} : { org_name: org }),
    quota: quotaJson(quota),
    balance: { spent_credits: '0' },
    user_info: { email: '' },
  };
}

const orgUserJson = (user: string): Record<string, unknown> => ({
  user_name: user,
  role: 'user',
  balance: { spent_credits: '0' },
  user_info: { email: '' },
});

function projectJson(cluster: string, project: { readonly org: string; readonly name: string }, index: number) {
  return {
    name: project.name,
    cluster_name: cluster,
    org_name: project.org,
    is_default: index === 0,
    default_role: 'writer',
  };
}
