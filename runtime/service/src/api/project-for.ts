import { DelosError, type Quota, type Right, type Share, type SharedKind } from '@delos/core';
import type { ProjectRow, Tx } from '../db/schema.ts';
import { isGranted, uriOf } from './authorization/grants.ts';
import type { Caller } from './deps.ts';

/** A project as a request names it; what is left out is the caller's first. */
export interface NamedProject {
  readonly org?: string | null | undefined;
  readonly name?: string | null | undefined;
}

/** A project with what its organization may have. */
export type OwnedProject = ProjectRow & { readonly org_quota: Quota; readonly org_share: Share };

/**
 * The project that something new shall belong to.
 * @param as what it shall be, where grants count as well. @default they do not
 * @throws DelosError ERR_FORBIDDEN where there is none, or the caller may not make things in it
 */
export async function projectFor(
  tx: Tx,
  { org, name }: NamedProject,
  caller: Caller,
  as?: { readonly kind: SharedKind; readonly cluster: string },
): Promise<OwnedProject> {
  const rows = await tx
    .selectFrom('projects')
    .innerJoin('organizations', 'organizations.name', 'projects.org')
    .selectAll('projects')
    .select(['organizations.quota as org_quota', 'organizations.share as org_share'])
    .where('projects.retired', '=', false)
    .$if(typeof org === 'string', (query) => query.where('projects.org', '=', org ?? ''))
    .$if(typeof name === 'string', (query) => query.where('projects.name', '=', name ?? ''))
    .orderBy('organizations.position')
    .orderBy('projects.position')
    .execute();
  const granted = (row: ProjectRow, right: Right): boolean =>
    as !== undefined && isGranted(caller, [uriOf(as.kind, as.cluster, { org: row.org, project: row.name })], right);
  const project = rows.find(
    (row) => caller.admin || caller.roles.has(`${row.org}/${row.name}`) || granted(row, 'read'),
  );
  if (project === undefined) {
    const wanted = [org, name].filter((part) => typeof part === 'string').join('/') || 'any project';
    throw new DelosError('ERR_FORBIDDEN', `${caller.user} is no member of project ${wanted}, or there is none`, {
      hint: 'choose another with apolo config switch-project, or ask the administrator to add you',
    });
  }
  const role = caller.roles.get(`${project.org}/${project.name}`);
  if (!caller.admin && (role === undefined || role === 'reader') && !granted(project, 'write')) {
    throw new DelosError('ERR_FORBIDDEN', `${caller.user} may only read in project ${project.org}/${project.name}`, {
      hint: 'ask the administrator for the role writer in this project',
    });
  }
  return project;
}
