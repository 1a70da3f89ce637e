import { DelosError, type OrgRole, type ProjectRole } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../schema.ts';
import { heldOrganization } from './organizations.ts';
import { heldProject, type ProjectName } from './projects.ts';
import { isNot, MOST, refuseDeclared, refuseMore, tellChange } from './rule.ts';

/** @throws DelosError ERR_NOT_FOUND for a name that is no user's */
async function requireUser(tx: Tx, name: string): Promise<void> {
  const row = await tx
    .selectFrom('users')
    .select('id')
    .where('name', '=', name)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  if (row !== undefined) return;
  throw new DelosError('ERR_NOT_FOUND', `there is no user ${JSON.stringify(name)}`, {
    hint: 'people come by `users` of delos.yaml, or by an identity provider',
  });
}

/** Whether a membership is to be new, or to be there. Undefined: either. */
export type Expected = 'new' | 'there' | undefined;

/**
 * Gives a user a role in an organization.
 * @param role undefined: the organization's default
 * @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT, ERR_QUOTA_EXCEEDED
 */
export async function setOrgMember(
  tx: Tx,
  { org, user }: { readonly org: string; readonly user: string },
  role: OrgRole | undefined,
  expected: Expected,
): Promise<OrgRole> {
  const { default_role: usual } = await heldOrganization(tx, org);
  await requireUser(tx, user);
  const all = await tx.selectFrom('org_members').selectAll().where('org', '=', org).execute();
  const known = all.find((row) => row.user_name === user);
  const what = `the role of ${user} in organization ${org}`;
  if (known !== undefined) refuseDeclared(known, what);
  if (known !== undefined && expected === 'new') {
    throw new DelosError('ERR_CONFLICT', `${user} is ${known.role} in organization ${org} already`);
  }
  if (known === undefined && expected === 'there') throw isNot(`user ${user} in organization ${org}`);
  if (known === undefined) refuseMore(all.length, MOST.members, `people in organization ${org}`);
  const given = role ?? known?.role ?? usual;
  await tx
    .insertInto('org_members')
    .values({ org, user_name: user, role: given, declared: false })
    .onConflict((on) => on.columns(['org', 'user_name']).doUpdateSet({ role: given }))
    .execute();
  if (known === undefined) await joinDefaults(tx, org, user);
  await tellChange(tx);
  return given;
}

/** Who is new in an organization gets a role in its default projects. */
async function joinDefaults(tx: Tx, org: string, user: string): Promise<void> {
  await sql`insert into members (org, project, user_name, role, declared)
    select org, name, ${user}, default_role, false from projects
    where org = ${org} and is_default and not retired
    on conflict (org, project, user_name) do nothing`.execute(tx);
}

/** @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT */
export async function removeOrgMember(
  tx: Tx,
  { org, user }: { readonly org: string; readonly user: string },
): Promise<void> {
  await heldOrganization(tx, org);
  const known = await tx
    .selectFrom('org_members')
    .selectAll()
    .where('org', '=', org)
    .where('user_name', '=', user)
    .executeTakeFirst();
  const inProjects = await tx
    .selectFrom('members')
    .selectAll()
    .where('org', '=', org)
    .where('user_name', '=', user)
    .execute();
  if (known === undefined && inProjects.length === 0) throw isNot(`user ${user} in organization ${org}`);
  if (known !== undefined) refuseDeclared(known, `the role of ${user} in organization ${org}`);
  for (const row of inProjects) refuseDeclared(row, `the membership of ${user} in project ${org}/${row.project}`);
  await tx.deleteFrom('org_members').where('org', '=', org).where('user_name', '=', user).execute();
  await tx.deleteFrom('members').where('org', '=', org).where('user_name', '=', user).execute();
  await tx.deleteFrom('person_quotas').where('org', '=', org).where('user_name', '=', user).execute();
  await tellChange(tx);
}

/**
 * Gives a user a role in a project, declared or not.
 * @param role undefined: the project's default
 * @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT, ERR_QUOTA_EXCEEDED
 */
export async function setMember(
  tx: Tx,
  { user, ...name }: ProjectName & { readonly user: string },
  role: ProjectRole | undefined,
  expected: Expected,
): Promise<ProjectRole> {
  const { org, project } = name;
  const { default_role: usual } = await heldProject(tx, name);
  await requireUser(tx, user);
  const all = await tx
    .selectFrom('members')
    .selectAll()
    .where('org', '=', org)
    .where('project', '=', project)
    .execute();
  const known = all.find((row) => row.user_name === user);
  if (known !== undefined) refuseDeclared(known, `the membership of ${user} in project ${org}/${project}`);
  if (known !== undefined && expected === 'new') {
    throw new DelosError('ERR_CONFLICT', `${user} is ${known.role} in project ${org}/${project} already`);
  }
  if (known === undefined && expected === 'there') throw isNot(`user ${user} in project ${org}/${project}`);
  if (known === undefined) refuseMore(all.length, MOST.members, `members of project ${org}/${project}`);
  const given = role ?? known?.role ?? usual;
  await tx
    .insertInto('members')
    .values({ org, project, user_name: user, role: given, declared: false })
    .onConflict((on) => on.columns(['org', 'project', 'user_name']).doUpdateSet({ role: given }))
    .execute();
  await tellChange(tx);
  return given;
}

/** @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT */
export async function removeMember(tx: Tx, { user, ...name }: ProjectName & { readonly user: string }): Promise<void> {
  const { org, project } = name;
  await heldProject(tx, name);
  const known = await tx
    .selectFrom('members')
    .selectAll()
    .where('org', '=', org)
    .where('project', '=', project)
    .where('user_name', '=', user)
    .executeTakeFirst();
  if (known === undefined) throw isNot(`user ${user} in project ${org}/${project}`);
  refuseDeclared(known, `the membership of ${user} in project ${org}/${project}`);
  await tx
    .deleteFrom('members')
    .where('org', '=', org)
    .where('project', '=', project)
    .where('user_name', '=', user)
    .execute();
  await tellChange(tx);
}
