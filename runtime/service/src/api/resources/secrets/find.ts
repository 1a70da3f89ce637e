import { DelosError, type Right } from '@delos/core';

import type { SecretRow } from '../../../db/secrets/tables.ts';
import { uriOf } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import type { NamedProject } from '../../project-for.ts';
import { authorize } from '../../rights.ts';

export type FoundSecret = Pick<SecretRow, 'cluster' | 'org' | 'project' | 'name' | 'owner'>;

/**
 * A secret by name, within a project; of several projects where none is named, the one that changed last.
 * @throws DelosError ERR_NOT_FOUND where there is none that the caller may read, ERR_FORBIDDEN where it may only read
 */
export async function findSecret(
  { database, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  name: string,
  right: Right,
  { org, name: project }: NamedProject = {},
): Promise<FoundSecret> {
  const row = await database.db
    .selectFrom('secrets')
    .select(['cluster', 'org', 'project', 'name', 'owner'])
    .where('cluster', '=', settings.cluster)
    .where('name', '=', name)
    .$if(typeof org === 'string', (query) => query.where('org', '=', org ?? ''))
    .$if(typeof project === 'string', (query) => query.where('project', '=', project ?? ''))
    .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'secret', names: ['name'] })))
    .orderBy('changed_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return authorize(
    caller,
    row,
    right,
    () =>
      new DelosError('ERR_NOT_FOUND', `there is no secret ${JSON.stringify(name)}`, {
        hint: 'apolo secret ls lists the secrets of your project',
      }),
    row === undefined ? [] : [uriOf('secret', row.cluster, row, row.name)],
  );
}
