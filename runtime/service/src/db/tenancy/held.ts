import type { Action, OrgRole, ProjectRole } from '@delos/core';
import { sql } from 'kysely';

/** What somebody may do with a thing and all below it, beside what roles give. */
export interface Grant {
  readonly uri: string;
  readonly action: Action;
}

/** One thing that a user has. */
export interface Held {
  /** `project`: a role in one; `org`: one in an organization; `grant`; `shown`: a project that a service account begins in. */
  readonly what: string;
  readonly org: string;
  readonly project: string | null;
  readonly role: string;
}

/** All that the user of the row `users` has, to be joined laterally. Administrators of an organization have each project in it. */
export const HELD = sql<Held>`(
  select 'project' as what, org, project, role from members where user_name = users.name
  union all
  select 'project', o.org, p.name, 'admin' from org_members o
    join projects p on p.org = o.org and not p.retired
    where o.user_name = users.name and o.role = 'admin'
  union all
  select 'org', o.org, null, o.role from org_members o
    join organizations g on g.name = o.org and not g.retired
    where o.user_name = users.name
  union all
  select 'grant', uri, null, action from grants where user_id = users.id
  union all
  select 'shown', coalesce(default_org, ''), default_project, '' from service_accounts where user_id = users.id)`;

/** What somebody may do, and where. */
export interface Rights {
  /** `org/project` → role. */
  readonly roles: ReadonlyMap<string, ProjectRole>;
  /** Organization → role. */
  readonly orgs: ReadonlyMap<string, OrgRole>;
  readonly grants: readonly Grant[];
  /** `org/project`, whose name somebody is told who may have no right in it. */
  readonly shown: readonly string[];
}

/** What rows of {@link HELD} come to. */
export function rightsIn(rows: readonly { readonly [K in keyof Held]: Held[K] | null }[]): Rights {
  const roles = new Map<string, ProjectRole>();
  const orgs = new Map<string, OrgRole>();
  const grants: Grant[] = [];
  const shown: string[] = [];
  for (const { what, org, project, role } of rows) {
    if (org === null || role === null) continue;
    if (what === 'grant') grants.push({ uri: org, action: role as Action });
    else if (what === 'shown') shown.push(`${org}/${project}`);
    else if (what === 'org') orgs.set(org, role as OrgRole);
    else if (roles.get(`${org}/${project}`) !== 'admin') roles.set(`${org}/${project}`, role as ProjectRole);
  }
  return { roles, orgs, grants, shown };
}
