import { DelosError, ORG_ROLES, type OrgRole, type Quota } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { presentClusters } from '../../../db/clusters/present.ts';
import type { Db } from '../../../db/schema.ts';
import { personQuotas } from '../../../db/tenancy/person-quotas.ts';
import { isIn, standsIn } from '../../authorization/administer.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';
import { balanceOfOrg } from '../credits/index.ts';
import { balanceRoute } from './balance.ts';
import { adminChanges } from './changes.ts';
import { orgJson, orgUserJson, projectJson, projectUserJson, userJson } from './json.ts';

/*
 * The administration API (/apis/admin/v1): clusters, organizations, projects and their members. Here is its read side, and what is
 * refused; changes.ts has the changes.
 */

const TAG = 'admin';

export function adminRoutes(app: FastifyInstance, deps: ApiDeps): void {
  const { db } = deps.database;
  const present = () => presentClusters(db, deps.settings.cluster);
  const checkCluster = async (cluster: string): Promise<void> => {
    if (!(await present()).includes(cluster)) throw notFound(`cluster ${cluster}`);
  };
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
      if (cluster !== undefined) await checkCluster(cluster);
      if (params.org !== undefined) requireOrg(caller, params.org);
      return handler(caller, params);
    });

  get('/clusters', 'Clusters', async () =>
    (await present()).map((name) => ({ name, default_role: 'user', maintenance: false })),
  );
  get('/orgs', 'Organizations of the caller', async (caller) => (await orgs(db, caller)).map(({ name }) => ({ name })));
  get('/orgs/:org/users', 'Users of an organization', async (caller, { org = '' }) =>
    (await people(db, caller, org)).map(({ user, role }) => orgUserJson(user, role)),
  );
  get('/orgs/:org', 'One organization', async (_caller, { org = '' }) => ({
    name: (await organization(db, org)).name,
  }));
  get('/orgs/:org/users/:user', 'One user of an organization', async (caller, { org = '', user = '' }) => {
    const found = (await people(db, caller, org)).find((each) => each.user === user);
    if (found === undefined) throw notFound(`user ${user}`);
    return orgUserJson(user, found.role);
  });
  get('/clusters/:cluster/orgs', 'Organizations on a cluster', async (caller) =>
    Promise.all((await orgs(db, caller)).map(async (org) => orgJson(org, await balanceOfOrg(db, org.name)))),
  );
  get('/clusters/:cluster/orgs/:org', 'One organization on a cluster', async (_caller, { org = '' }) =>
    orgJson(await organization(db, org), await balanceOfOrg(db, org)),
  );
  for (const scope of ['/clusters/:cluster', '/clusters/:cluster/orgs/:org']) {
    get(`${scope}/users`, 'Users', async (caller, { org }) => {
      const quotas = await quotasOf(db, org);
      return (await people(db, caller, org)).map(({ user, role }) =>
        userJson(user, org, { role, quota: quotas(user) }),
      );
    });
    get(`${scope}/users/:user`, 'One user', async (caller, { org, user = '' }) => {
      const known = (await people(db, caller, org)).find((each) => each.user === user);
      if (user !== caller.user && known === undefined) throw notFound(`user ${user}`);
      const quotas = await quotasOf(db, org);
      return userJson(user, org, { quota: quotas(user), role: known?.role });
    });
    get(`${scope}/projects`, 'Projects', async (caller, { cluster = '', org }) =>
      (await projects(db, caller, org)).map((project, index) =>
        projectJson(cluster, { ...project, is_default: project.is_default || index === 0 }),
      ),
    );
    get(`${scope}/projects/:project/users`, 'Members of a project', async (caller, { cluster = '', org, project }) =>
      (await members(db, caller, org))
        .filter((member) => member.project === project)
        .map(({ user_name: user, ...member }) => projectUserJson(cluster, { ...member, user })),
    );
  }
  balanceRoute(app, deps);
  adminChanges(app, deps, checkCluster);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) {
    route(
      app,
      deps,
      { method, url: '/*', tag: TAG, summary: 'Refused: no part of this release' },
      async ({ request }) => {
        throw refused(request.url);
      },
    );
  }
}

/** Why a change that the client knows cannot be made. */
function refused(url: string): DelosError {
  const [path = ''] = url.split('?');
  if (/\/(balance|defaults)$/.test(path))
    return new DelosError('ERR_NOT_IMPLEMENTED', 'credits of single people are not part of this release of Delos');
  if (/\/users\/[^/]+\/quota$/.test(path)) {
    return new DelosError('ERR_NOT_IMPLEMENTED', 'a person has a quota in an organization, not on a cluster', {
      hint: 'name it: apolo admin set-user-quota CLUSTER USER --org ORG --jobs AMOUNT',
    });
  }
  if (/\/clusters\/[^/]+\/orgs\/[^/]+$/.test(path)) {
    return new DelosError('ERR_NOT_IMPLEMENTED', 'each organization is on each cluster: none can be taken off one', {
      hint: 'to remove it: apolo admin remove-org ORG',
    });
  }
  return new DelosError('ERR_NOT_IMPLEMENTED', 'clusters are set in delos.yaml, or join by `delos clusters token`', {
    hint: 'change it there and run: delos up',
  });
}

/** Of people in an organization; without one, nobody has any. */
async function quotasOf(db: Db, org: string | undefined): Promise<(user: string) => Quota> {
  const known: ReadonlyMap<string, number> = org === undefined ? new Map() : await personQuotas(db, org);
  return (user) => {
    const runningJobs = known.get(user);
    return runningJobs === undefined ? {} : { runningJobs };
  };
}

function requireOrg(caller: Caller, org: string): void {
  if (!isIn(caller, { org }) && !standsIn(caller, { org })) throw notFound(`organization ${org}`);
}

function notFound(what: string): DelosError {
  return new DelosError('ERR_NOT_FOUND', `there is no ${what}, or it is not yours to see`);
}

interface Organization {
  readonly name: string;
  readonly quota: Quota;
  readonly default_role: OrgRole;
}

async function orgs(db: Db, caller: Caller): Promise<readonly Organization[]> {
  const rows = await db
    .selectFrom('organizations')
    .select(['name', 'quota', 'default_role'])
    .where('retired', '=', false)
    .orderBy('position')
    .execute();
  return rows.filter(({ name }) => isIn(caller, { org: name }));
}

async function organization(db: Db, name: string): Promise<Organization> {
  const row = await db
    .selectFrom('organizations')
    .select(['name', 'quota', 'default_role'])
    .where('name', '=', name)
    .where('retired', '=', false)
    .executeTakeFirst();
  if (row === undefined) throw notFound(`organization ${name}`);
  return row;
}

async function projects(db: Db, caller: Caller, org: string | undefined) {
  const rows = await db
    .selectFrom('projects')
    .innerJoin('organizations', 'organizations.name', 'projects.org')
    .select(['projects.org', 'projects.name', 'projects.is_default', 'projects.default_role'])
    .where('projects.retired', '=', false)
    .$if(org !== undefined, (query) => query.where('projects.org', '=', org ?? ''))
    .orderBy('organizations.position')
    .orderBy('projects.position')
    .execute();
  return rows.filter(({ org: of, name }) => isIn(caller, { org: of, project: name }));
}

async function members(db: Db, caller: Caller, org: string | undefined) {
  const rows = await db
    .selectFrom('members')
    .selectAll()
    .$if(org !== undefined, (query) => query.where('org', '=', org ?? ''))
    .orderBy('user_name')
    .execute();
  return rows.filter(({ org: of, project }) => isIn(caller, { org: of, project }));
}

/** People of organizations: of the caller's projects, and those with a role in an organization of the caller's. */
async function people(
  db: Db,
  caller: Caller,
  org: string | undefined,
): Promise<readonly { readonly user: string; readonly role: OrgRole }[]> {
  const rows = await db
    .selectFrom('org_members')
    .selectAll()
    .$if(org !== undefined, (query) => query.where('org', '=', org ?? ''))
    .execute();
  const own = rows.filter((row) => isIn(caller, { org: row.org }));
  const roles = new Map((await members(db, caller, org)).map((row): [string, OrgRole] => [row.user_name, 'user']));
  for (const { user_name: user, role } of own) {
    const known = roles.get(user);
    if (known === undefined || ORG_ROLES.indexOf(role) < ORG_ROLES.indexOf(known)) roles.set(user, role);
  }
  return [...roles].map(([user, role]) => ({ user, role })).toSorted((a, b) => (a.user < b.user ? -1 : 1));
}
