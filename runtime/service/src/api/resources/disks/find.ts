import { DelosError, type Right } from '@delos/core';
import { sql } from 'kysely';
import type { Db, DiskRow, Tx } from '../../../db/schema.ts';
import { urisOf } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import type { NamedProject } from '../../project-for.ts';
import { authorize } from '../../rights.ts';

/**
 * A disk by id, or by name within a project; of several projects where none is named, the newest. One that only waits for the
 * cluster to take it away is not there any more.
 * @throws DelosError ERR_NOT_FOUND where there is none that the caller may read, ERR_FORBIDDEN where it may only read
 */
export async function findDisk(
  { database, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  idOrName: string,
  right: Right,
  project: NamedProject = {},
): Promise<DiskRow> {
  const { db } = database;
  const row = (await byId(db, idOrName)) ?? (await byName(db, settings.cluster, caller, idOrName, project));
  const uris = row === undefined ? [] : urisOf('disk', row.cluster, row);
  return authorize(caller, row, right, () => unknownDisk(idOrName), uris);
}

export function unknownDisk(idOrName: string): DelosError {
  return new DelosError('ERR_NOT_FOUND', `there is no disk ${JSON.stringify(idOrName)}`, {
    hint: 'apolo disk ls lists the disks of your project',
  });
}

export async function byId(db: Db | Tx, id: string): Promise<DiskRow | undefined> {
  if (!id.startsWith('disk-')) return undefined;
  return db.selectFrom('disks').selectAll().where('id', '=', id).where('phase', '<>', 'removing').executeTakeFirst();
}

async function byName(
  db: Db,
  cluster: string,
  caller: Caller,
  name: string,
  project: NamedProject,
): Promise<DiskRow | undefined> {
  return (
    db
      .selectFrom('disks')
      .selectAll()
      .where('name', '=', name)
      .where('cluster', '=', cluster)
      .where('phase', '<>', 'removing')
      .$if(typeof project.org === 'string', (query) => query.where('org', '=', project.org ?? ''))
      .$if(typeof project.name === 'string', (query) => query.where('project', '=', project.name ?? ''))
      .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'disk', names: ['id', 'name'] })))
      // One that is marked may have a successor of its name.
      .orderBy(sql`phase = 'kept'`, 'desc')
      .orderBy('created_at', 'desc')
      .limit(1)
      .executeTakeFirst()
  );
}
