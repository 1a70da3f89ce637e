import { DelosError, type Right } from '@delos/core';

import type { BucketRow, Db } from '../../../db/schema.ts';
import { urisOf } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import type { NamedProject } from '../../project-for.ts';
import { authorize } from '../../rights.ts';

/**
 * A bucket by id, or by name within a project; of several projects where none is named, the newest. An id is looked for
 * everywhere: the client asks for buckets of other projects with the name of its own.
 * @throws DelosError ERR_NOT_FOUND where there is none that the caller may read, ERR_FORBIDDEN where it may only read
 */
export async function findBucket(
  { database: { db }, settings: { cluster } }: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  idOrName: string,
  right: Right,
  project: NamedProject = {},
): Promise<BucketRow> {
  const row = (await byId(db, idOrName)) ?? (await byName(db, cluster, caller, idOrName, project));
  const uris = row === undefined ? [] : urisOf('blob', cluster, row);
  return authorize(caller, row, right, () => unknownBucket(idOrName), uris);
}

const unknownBucket = (idOrName: string): DelosError =>
  new DelosError('ERR_NOT_FOUND', `there is no bucket ${JSON.stringify(idOrName)}`, {
    hint: 'apolo blob lsbucket lists the buckets of your project',
  });

async function byId(db: Db, id: string): Promise<BucketRow | undefined> {
  if (!id.startsWith('bucket-')) return undefined;
  return db.selectFrom('buckets').selectAll().where('id', '=', id).where('phase', '<>', 'making').executeTakeFirst();
}

async function byName(
  db: Db,
  cluster: string,
  caller: Caller,
  name: string,
  project: NamedProject,
): Promise<BucketRow | undefined> {
  return (
    db
      .selectFrom('buckets')
      .selectAll()
      .where('name', '=', name)
      .where('phase', '<>', 'making')
      // The client sends an empty organization for none.
      .$if(typeof project.org === 'string' && project.org !== '', (query) => query.where('org', '=', project.org ?? ''))
      .$if(typeof project.name === 'string', (query) => query.where('project', '=', project.name ?? ''))
      .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'blob', names: ['id', 'name'], cluster })))
      .orderBy('created_at', 'desc')
      .limit(1)
      .executeTakeFirst()
  );
}

/**
 * A bucket by the path of a URI of the client: `ORG/PROJECT/BUCKET`, and whatever follows.
 * @throws DelosError as {@link findBucket} does
 */
export async function findByPath(
  deps: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  path: string,
): Promise<BucketRow> {
  const [org = '', name = '', bucket = ''] = path.replace(/^\/+/, '').split('/');
  const found = await findBucket(deps, caller, bucket, 'read', { org, name });
  // An id leads to it from anywhere, and not by a path that names another project.
  if (found.org === org && found.project === name) return found;
  throw unknownBucket(bucket);
}
