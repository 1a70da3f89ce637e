import type { Db } from '../db/schema.ts';
import type { ProjectOf } from './rights.ts';

/** Those of the named projects that there are. */
export async function liveProjects(db: Db, wanted: readonly ProjectOf[]): Promise<readonly ProjectOf[]> {
  if (wanted.length === 0) return [];
  return db
    .selectFrom('projects')
    .select(['org', 'name as project'])
    .where('retired', '=', false)
    .where((where) =>
      where.or(wanted.map(({ org, project }) => where.and({ 'projects.org': org, 'projects.name': project }))),
    )
    .execute();
}
