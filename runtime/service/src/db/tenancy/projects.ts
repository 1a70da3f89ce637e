import { DelosError, type ProjectRole, projectNamespace, TERMINAL } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../schema.ts';
import { endGrantsOfRetired } from './grants.ts';
import { heldOrganization } from './organizations.ts';
import { holdTenancy, isNot, isThere, LAST_PLACE, MOST, refuseDeclared, refuseMore, tellChange } from './rule.ts';

export interface ProjectName {
  readonly org: string;
  readonly project: string;
}

export interface ProjectSettings {
  readonly isDefault: boolean;
  /** What somebody becomes who is added without a role. */
  readonly defaultRole: ProjectRole;
}

/** Made while the platform runs, in any organization. @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT, ERR_QUOTA_EXCEEDED */
export async function makeProject(tx: Tx, { org, project }: ProjectName, settings: ProjectSettings): Promise<void> {
  await heldOrganization(tx, org);
  const known = await tx
    .selectFrom('projects')
    .select('retired')
    .where('org', '=', org)
    .where('name', '=', project)
    .executeTakeFirst();
  if (known?.retired === false) throw isThere(`project ${org}/${project}`);
  const { count } = await tx
    .selectFrom('projects')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('org', '=', org)
    .executeTakeFirstOrThrow();
  refuseMore(Number(count), MOST.projects, `projects in organization ${org}`);
  const row = {
    quota: '{}',
    declared: false,
    privileged: false,
    retired: false,
    retired_at: null,
    position: LAST_PLACE,
    is_default: settings.isDefault,
    default_role: settings.defaultRole,
  };
  await tx
    .insertInto('projects')
    .values({ org, name: project, namespace: projectNamespace(org, project), ...row })
    .onConflict((on) => on.columns(['org', 'name']).doUpdateSet(row))
    .execute();
  await tellChange(tx);
}

/** The live project's row, held until the end of the change. @throws DelosError ERR_NOT_FOUND */
export async function heldProject(tx: Tx, { org, project }: ProjectName) {
  await holdTenancy(tx);
  const row = await tx
    .selectFrom('projects')
    .selectAll()
    .where('org', '=', org)
    .where('name', '=', project)
    .where('retired', '=', false)
    .executeTakeFirst();
  if (row === undefined) throw isNot(`project ${org}/${project}`);
  return row;
}

/** @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT */
export async function changeProject(tx: Tx, name: ProjectName, settings: ProjectSettings): Promise<void> {
  const { org, project } = name;
  refuseDeclared(await heldProject(tx, name), `project ${org}/${project}`);
  await tx
    .updateTable('projects')
    .set({ is_default: settings.isDefault, default_role: settings.defaultRole })
    .where('org', '=', org)
    .where('name', '=', project)
    .execute();
  await tellChange(tx);
}

/** What a project must be empty of, and how its user says so. */
const HOLDS = [
  { table: 'jobs', words: 'jobs that have not ended', where: sql`not status = any (${[...TERMINAL]}::text[])` },
  { table: 'disks', words: 'disks', where: sql`true` },
  { table: 'buckets', words: 'buckets', where: sql`true` },
  { table: 'secrets', words: 'secrets', where: sql`true` },
] as const;

/** @throws DelosError ERR_NOT_FOUND; ERR_CONFLICT while there is something in it that would be lost */
export async function removeProject(tx: Tx, name: ProjectName): Promise<void> {
  const { org, project } = name;
  refuseDeclared(await heldProject(tx, name), `project ${org}/${project}`);
  for (const { table, words, where } of HOLDS) {
    const { rows } = await sql<{ count: number }>`select count(*)::int as count from ${sql.table(table)}
      where org = ${org} and project = ${project} and ${where}`.execute(tx);
    const count = rows[0]?.count ?? 0;
    if (count === 0) continue;
    throw new DelosError('ERR_CONFLICT', `project ${org}/${project} has ${count} ${words}`, {
      hint: 'remove them first; nothing was changed',
    });
  }
  await tx.deleteFrom('members').where('org', '=', org).where('project', '=', project).execute();
  await sql`update projects set retired = true, retired_at = now() where org = ${org} and name = ${project}`.execute(
    tx,
  );
  await endGrantsOfRetired(tx);
  await sql`delete from projects p where org = ${org} and name = ${project}
    and not exists (select from jobs j where j.org = p.org and j.project = p.name)`.execute(tx);
  await tellChange(tx);
}
