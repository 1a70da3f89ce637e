import { DelosError, type OrgRole, type Quota } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../schema.ts';
import { holdTenancy, isNot, isThere, LAST_PLACE, MOST, refuseDeclared, refuseMore, tellChange } from './rule.ts';

/** Made while the platform runs. @throws DelosError ERR_CONFLICT, ERR_QUOTA_EXCEEDED */
export async function makeOrganization(tx: Tx, name: string): Promise<void> {
  await holdTenancy(tx);
  const known = await tx.selectFrom('organizations').select(['retired']).where('name', '=', name).executeTakeFirst();
  if (known?.retired === false) throw isThere(`organization ${name}`);
  const { count } = await tx
    .selectFrom('organizations')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow();
  refuseMore(Number(count), MOST.organizations, 'organizations');
  const row = { quota: '{}', declared: false, retired: false, position: LAST_PLACE, default_role: 'user' as const };
  await tx
    .insertInto('organizations')
    .values({ name, ...row })
    .onConflict((on) => on.column('name').doUpdateSet(row))
    .execute();
  await tellChange(tx);
}

/** The live organization's row, held until the end of the change. @throws DelosError ERR_NOT_FOUND */
export async function heldOrganization(tx: Tx, name: string) {
  await holdTenancy(tx);
  const row = await tx
    .selectFrom('organizations')
    .selectAll()
    .where('name', '=', name)
    .where('retired', '=', false)
    .executeTakeFirst();
  if (row === undefined) throw isNot(`organization ${name}`);
  return row;
}

export interface OrganizationChange {
  /** Null: no limit. @default it stays */
  readonly runningJobs?: number | null | undefined;
  readonly defaultRole?: OrgRole | undefined;
}

/** @throws DelosError ERR_NOT_FOUND, ERR_CONFLICT */
export async function changeOrganization(tx: Tx, name: string, change: OrganizationChange): Promise<void> {
  const row = await heldOrganization(tx, name);
  refuseDeclared(row, `organization ${name}`);
  const { runningJobs: _, ...others } = row.quota;
  const runningJobs = change.runningJobs === undefined ? row.quota.runningJobs : change.runningJobs;
  const quota: Quota = typeof runningJobs === 'number' ? { ...others, runningJobs } : others;
  await tx
    .updateTable('organizations')
    .set({ quota: JSON.stringify(quota), default_role: change.defaultRole ?? row.default_role })
    .where('name', '=', name)
    .execute();
  await tellChange(tx);
}

/** @throws DelosError ERR_NOT_FOUND; ERR_CONFLICT while it has projects */
export async function removeOrganization(tx: Tx, name: string): Promise<void> {
  refuseDeclared(await heldOrganization(tx, name), `organization ${name}`);
  const projects = await tx
    .selectFrom('projects')
    .select('name')
    .where('org', '=', name)
    .where('retired', '=', false)
    .orderBy('name')
    .limit(5)
    .execute();
  if (projects.length > 0) {
    const names = projects.map((project) => project.name).join(', ');
    throw new DelosError('ERR_CONFLICT', `organization ${name} has projects: ${names}`, {
      hint: 'remove them first: apolo admin remove-project CLUSTER PROJECT',
    });
  }
  await tx.deleteFrom('org_members').where('org', '=', name).execute();
  await tx.deleteFrom('person_quotas').where('org', '=', name).execute();
  await tx.updateTable('organizations').set({ retired: true }).where('name', '=', name).execute();
  // What jobs of former projects refer to stays for their history.
  await sql`delete from organizations o where name = ${name}
    and not exists (select from projects p where p.org = o.name)`.execute(tx);
  await tellChange(tx);
}
