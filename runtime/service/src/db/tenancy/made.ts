import type { MadeThings } from '@delos/core';
import type { Db } from '../schema.ts';

/** All that administrators made while the platform ran, and that delos.yaml does not say. */
export async function madeIn(db: Db, cluster: string): Promise<MadeThings> {
  const [organizations, projects, orgMembers, members, quotas, own] = await Promise.all([
    db
      .selectFrom('organizations')
      .select(['name', 'quota'])
      .where('declared', '=', false)
      .where('retired', '=', false)
      .orderBy('name')
      .execute(),
    db
      .selectFrom('projects')
      .select(['org', 'name', 'quota'])
      .where('declared', '=', false)
      .where('retired', '=', false)
      .orderBy('org')
      .orderBy('name')
      .execute(),
    db
      .selectFrom('org_members')
      .select(['org', 'user_name as user', 'role'])
      .where('declared', '=', false)
      .orderBy('org')
      .orderBy('user_name')
      .execute(),
    db
      .selectFrom('members')
      .select(['org', 'project', 'user_name as user', 'role'])
      .where('declared', '=', false)
      .orderBy('org')
      .orderBy('project')
      .orderBy('user_name')
      .execute(),
    db
      .selectFrom('person_quotas')
      .select(['org', 'user_name as user', 'quota'])
      .where('declared', '=', false)
      .orderBy('org')
      .orderBy('user_name')
      .execute(),
    db.selectFrom('clusters').select('made_presets').where('name', '=', cluster).executeTakeFirst(),
  ]);
  return {
    organizations,
    projects,
    orgMembers,
    members,
    quotas: quotas.flatMap(({ org, user, quota: { runningJobs } }) =>
      runningJobs === undefined ? [] : [{ org, user, quota: { runningJobs } }],
    ),
    presets: [...(own?.made_presets ?? [])],
  };
}
