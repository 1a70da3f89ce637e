import type { OrgRole, ProjectRole } from '@delos/core';
import { sql } from 'kysely';

/** One thing that a user has: a role in a project, or, without a project, one in an organization. */
export interface Held {
  readonly org: string;
  readonly project: string | null;
  readonly role: string;
}

/** All that the user of the row `users` has, to be joined laterally. Administrators of an organization have each project in it. */
export const HELD = sql<Held>`(
  select org, project, role from members where user_name = users.name
  union all
  select o.org, p.name, 'admin' from org_members o
    join projects p on p.org = o.org and not p.retired
    where o.user_name = users.name and o.role = 'admin'
  union all
  select o.org, null, o.role from org_members o
    join organizations g on g.name = o.org and not g.retired
    where o.user_name = users.name)`;

export interface Roles {
  /** `org/project` → role. */
  readonly roles: ReadonlyMap<string, ProjectRole>;
  /** Organization → role. */
  readonly orgs: ReadonlyMap<string, OrgRole>;
}

/** What rows of {@link HELD} come to. */
export function rolesOf(rows: readonly { readonly [K in keyof Held]: Held[K] | null }[]): Roles {
  const roles = new Map<string, ProjectRole>();
  const orgs = new Map<string, OrgRole>();
  for (const { org, project, role } of rows) {
    if (org === null || role === null) continue;
    if (project === null) orgs.set(org, role as OrgRole);
    else if (roles.get(`${org}/${project}`) !== 'admin') roles.set(`${org}/${project}`, role as ProjectRole);
  }
  return { roles, orgs };
}
