import { DelosError } from '@delos/core';
import type { Db } from '../db/schema.ts';
import type { Caller } from './deps.ts';
import { authorize, type ProjectOf } from './rights.ts';

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

/** Projects that a caller may read, as `ORG/PROJECT`. */
export async function visibleProjects(db: Db, caller: Caller): Promise<readonly string[]> {
  const rows = await db
    .selectFrom('projects')
    .select(['org', 'name as project'])
    .where('retired', '=', false)
    .execute();
  return rows.filter((row) => maySee(caller, row)).map(({ org, project }) => `${org}/${project}`);
}

function maySee(caller: Caller, project: { readonly org: string; readonly project: string }): boolean {
  try {
    authorize(caller, project, 'read', () => new DelosError('ERR_NOT_FOUND', 'no such project'));
    return true;
  } catch {
    return false;
  }
}
