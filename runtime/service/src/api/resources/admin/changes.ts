import { DelosError, dnsLabel, ORG_ROLES, PROJECT_ROLES } from '@delos/core';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import type { Tx } from '../../../db/schema.ts';
import { removeMember, removeOrgMember, setMember, setOrgMember } from '../../../db/tenancy/members.ts';
import { changeOrganization, makeOrganization, removeOrganization } from '../../../db/tenancy/organizations.ts';
import { setPersonQuota } from '../../../db/tenancy/person-quotas.ts';
import { changeProject, makeProject, removeProject } from '../../../db/tenancy/projects.ts';
import { type Administers, administer, type Place } from '../../authorization/administer.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { route } from '../../route.ts';
import { balanceOfOrg } from '../credits/index.ts';
import { orgJson, orgUserJson, projectJson, projectUserJson, quotaRequest, userJson } from './json.ts';
import { personQuotaRequest, quotaChange, quotaIfGiven, quotaOf, roleIn } from './person-quota.ts';

/*
 * What administrators change while the platform runs. What delos.yaml declares is refused by the functions that are called here
 * (db/tenancy), which are also the only ones that change these tables at run time.
 */

const TAG = 'admin';
const path = z.object({
  cluster: z.string().default(''),
  org: z.string().default(''),
  project: z.string().default(''),
  user: z.string().default(''),
});
type Path = z.infer<typeof path>;

const amount = z.union([z.string().max(100), z.number()]).nullish();
const noCredits = z.union([amount, z.object({ credits: amount })]);
const orgRole = z.preprocess((given) => (given === 'member' ? 'user' : given), z.enum(ORG_ROLES));
const projectRole = z.enum(PROJECT_ROLES);
const newOrg = z.object({ name: dnsLabel });
const newOrgUser = z.object({ user_name: z.string().max(128), role: orgRole.optional(), balance: noCredits });
const ofCluster = z.object({
  org_name: z.string().max(128),
  quota: quotaRequest,
  default_role: orgRole.optional(),
  default_quota: quotaRequest,
  balance: noCredits,
  default_credits: noCredits,
  storage_size: z.number().nullish(),
});
const newClusterUser = z.object({
  user_name: z.string().max(128),
  org_name: z.string().max(128).optional(),
  role: orgRole.optional(),
  quota: quotaIfGiven,
});
const projectSettings = z.object({
  is_default: z.boolean().default(false),
  default_role: projectRole.default('writer'),
});
const newProject = projectSettings.extend({ name: dnsLabel, has_virtual_kube: z.boolean().nullish() });
const projectUser = z.object({ user_name: z.string().max(128), role: projectRole.optional() });

export function adminChanges(app: FastifyInstance, deps: ApiDeps, checkCluster: (name: string) => Promise<void>): void {
  /** One change: the right first, then one transaction. */
  const change = <B extends z.ZodType>(
    method: 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    url: string,
    summary: string,
    spec: {
      readonly body?: B;
      readonly needs: Administers;
      /** Whose right it takes. @default that of the path */
      readonly place?: (params: Path, body: z.infer<B>) => Place;
      readonly done: (tx: Tx, params: Path, body: z.infer<B>, caller: Caller) => Promise<unknown>;
    },
  ): void => {
    const { body, needs, place = ofPath, done } = spec;
    route(
      app,
      deps,
      { method, url, summary, tag: TAG, params: path, ...(body === undefined ? {} : { body }) },
      async ({ params, caller, body: given }) => {
        if (params.cluster !== '') await checkCluster(params.cluster);
        administer(caller, needs === 'platform' ? undefined : place(params, given as z.infer<B>), needs);
        return deps.database.tx((tx) => done(tx, params, given as z.infer<B>, caller));
      },
    );
  };

  change('POST', '/orgs', 'Make an organization', {
    body: newOrg,
    needs: 'platform',
    done: async (tx, _params, { name }) => {
      await makeOrganization(tx, name);
      return { name };
    },
  });
  change('DELETE', '/orgs/:org', 'Remove an organization that has no projects', {
    needs: 'platform',
    done: async (tx, { org }) => {
      await removeOrganization(tx, org);
      return { name: org };
    },
  });
  change('POST', '/orgs/:org/users', 'Give a user a role in an organization', {
    body: newOrgUser,
    needs: 'people',
    done: async (tx, { org }, { user_name: user, role, balance }, caller) => {
      requireNoCredits(balance);
      requireToGive(caller, org, role);
      return orgUserJson(user, await setOrgMember(tx, { org, user }, role, 'new'));
    },
  });
  change('DELETE', '/orgs/:org/users/:user', 'Take a user out of an organization and its projects', {
    needs: 'people',
    done: async (tx, { org, user }, _body, caller) => {
      await requireToTake(tx, caller, org, user);
      await removeOrgMember(tx, { org, user });
      return {};
    },
  });

  change('POST', '/clusters/:cluster/orgs', 'Say the quota of an organization, which is on each cluster', {
    body: ofCluster,
    needs: 'platform',
    done: async (tx, _params, body) => settingsOf(tx, body.org_name, body),
  });
  change('PUT', '/clusters/:cluster/orgs/:org', 'Say the quota of an organization', {
    body: ofCluster.omit({ org_name: true }),
    needs: 'platform',
    done: async (tx, { org }, body) => settingsOf(tx, org, body),
  });
  change('PATCH', '/clusters/:cluster/orgs/:org/quota', 'Say the quota of an organization', {
    body: z.object({ quota: quotaRequest }),
    needs: 'platform',
    done: async (tx, { org }, { quota }) => settingsOf(tx, org, { quota }),
  });
  change('PATCH', '/clusters/:cluster/orgs/:org/defaults', 'Say what new people of an organization become', {
    body: z.object({ default_role: orgRole, quota: quotaRequest, credits: noCredits }),
    needs: 'organization',
    done: async (tx, { org }, { default_role: defaultRole, quota, credits }) => {
      requireNoQuotaOfPeople(quota);
      requireNoCredits(credits);
      await changeOrganization(tx, org, { defaultRole });
      return shownOrg(tx, org);
    },
  });

  change('POST', '/clusters/:cluster/users', 'Give a user a role in an organization, which is on each cluster', {
    body: newClusterUser,
    needs: 'people',
    place: (_params, { org_name: org = '' }) => ({ org }),
    done: async (tx, _params, { org_name: org = '', user_name: user, role, quota }, caller) => {
      requireToGive(caller, org, role);
      const given = await setOrgMember(tx, { org, user }, role, 'new');
      return userJson(user, org, { role: given, quota: await quotaOf(tx, { org, user }, quota) });
    },
  });
  change('PUT', '/clusters/:cluster/orgs/:org/users/:user', 'Change a user’s role in an organization', {
    body: z.object({ role: orgRole, quota: quotaIfGiven }),
    needs: 'people',
    done: async (tx, { org, user }, { role, quota }, caller) => {
      requireToGive(caller, org, role);
      await requireToTake(tx, caller, org, user);
      const given = await setOrgMember(tx, { org, user }, role, undefined);
      return userJson(user, org, { role: given, quota: await quotaOf(tx, { org, user }, quota) });
    },
  });
  change('PATCH', '/clusters/:cluster/orgs/:org/users/:user/quota', 'Say the quota of one person in an organization', {
    body: personQuotaRequest,
    needs: 'people',
    done: async (tx, { org, user }, asked, caller) => {
      await requireToTake(tx, caller, org, user);
      const runningJobs = await setPersonQuota(tx, { org, user }, quotaChange(asked));
      const role = await roleIn(tx, org, user);
      return userJson(user, org, { role, quota: runningJobs === null ? {} : { runningJobs } });
    },
  });
  change('DELETE', '/clusters/:cluster/orgs/:org/users/:user', 'Take a user out of an organization and its projects', {
    needs: 'people',
    done: async (tx, { org, user }, _body, caller) => {
      await requireToTake(tx, caller, org, user);
      await removeOrgMember(tx, { org, user });
      return {};
    },
  });

  change('POST', '/clusters/:cluster/orgs/:org/projects', 'Make a project', {
    body: newProject,
    needs: 'people',
    place: ({ org }) => ({ org }),
    done: async (tx, { cluster, org }, { name, has_virtual_kube: virtual, ...settings }) => {
      if (virtual === true) {
        throw new DelosError('ERR_NOT_IMPLEMENTED', 'virtual clusters are not part of this release of Delos');
      }
      const wanted = { isDefault: settings.is_default, defaultRole: settings.default_role };
      await makeProject(tx, { org, project: name }, wanted);
      return projectJson(cluster, { org, name, ...settings });
    },
  });
  change('PUT', '/clusters/:cluster/orgs/:org/projects/:project', 'Change a project', {
    body: projectSettings,
    needs: 'manage',
    done: async (tx, { cluster, org, project }, settings) => {
      const wanted = { isDefault: settings.is_default, defaultRole: settings.default_role };
      await changeProject(tx, { org, project }, wanted);
      return projectJson(cluster, { org, name: project, ...settings });
    },
  });
  change('DELETE', '/clusters/:cluster/orgs/:org/projects/:project', 'Remove a project that has nothing in it', {
    needs: 'people',
    done: async (tx, { org, project }) => {
      await removeProject(tx, { org, project });
      return {};
    },
  });
  change('POST', '/clusters/:cluster/orgs/:org/projects/:project/users', 'Add a member to a project', {
    body: projectUser,
    needs: 'manage',
    done: async (tx, { cluster, org, project }, { user_name: user, role }) => {
      const given = await setMember(tx, { org, project, user }, role, 'new');
      return projectUserJson(cluster, { org, project, user, role: given });
    },
  });
  change('PUT', '/clusters/:cluster/orgs/:org/projects/:project/users/:user', 'Change a member’s role', {
    body: z.object({ role: projectRole }),
    needs: 'manage',
    done: async (tx, { cluster, org, project, user }, { role }) => {
      const given = await setMember(tx, { org, project, user }, role, 'there');
      return projectUserJson(cluster, { org, project, user, role: given });
    },
  });
  change('DELETE', '/clusters/:cluster/orgs/:org/projects/:project/users/:user', 'Take a member out of a project', {
    needs: 'manage',
    done: async (tx, { org, project, user }) => {
      await removeMember(tx, { org, project, user });
      return {};
    },
  });
}

const ofPath = ({ org, project }: Path): Place => ({ org, ...(project === '' ? {} : { project }) });

type OrgSettings = Omit<z.infer<typeof ofCluster>, 'org_name'>;

async function settingsOf(tx: Tx, org: string, body: Partial<OrgSettings>): Promise<unknown> {
  requireNoQuotaOfPeople(body.default_quota ?? null);
  requireNoCredits(body.balance, body.default_credits);
  if (typeof body.storage_size === 'number') {
    throw new DelosError(
      'ERR_NOT_IMPLEMENTED',
      'a storage of an organization’s own is not part of this release of Delos',
      {
        hint: 'its files together are limited by `quota.files` in delos.yaml',
      },
    );
  }
  await changeOrganization(tx, org, { runningJobs: body.quota, defaultRole: body.default_role });
  return shownOrg(tx, org);
}

async function shownOrg(tx: Tx, name: string): Promise<unknown> {
  const row = await tx.selectFrom('organizations').selectAll().where('name', '=', name).executeTakeFirstOrThrow();
  return orgJson(row, await balanceOfOrg(tx, name));
}

/** Managers of an organization have its people, but not its admins and managers. */
function requireToGive(caller: Caller, org: string, role: z.infer<typeof orgRole> | undefined): void {
  if (role === 'admin' || role === 'manager') administer(caller, { org }, 'organization');
}

async function requireToTake(tx: Tx, caller: Caller, org: string, user: string): Promise<void> {
  requireToGive(caller, org, await roleIn(tx, org, user));
}

/** An account that is said to hold credits: the client sends an empty one, or null, for none. */
function requireNoCredits(...given: readonly Credits[]): void {
  const some = given.some((each) => (typeof each === 'object' && each !== null ? each.credits : each) != null);
  if (some) throw new DelosError('ERR_NOT_IMPLEMENTED', 'credits are not part of this release of Delos');
}
type Credits = z.infer<typeof noCredits>;

/** @throws DelosError where a number of running jobs is given */
function requireNoQuotaOfPeople(quota: number | null): void {
  if (quota === null) return;
  throw new DelosError('ERR_NOT_IMPLEMENTED', 'a quota for everybody who is new is not part of this release of Delos', {
    hint: 'a quota of one person: apolo admin set-user-quota; one of all together: apolo admin set-org-cluster-quota',
  });
}
