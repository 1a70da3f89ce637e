import { DelosError, type Right } from '@delos/core';

import type { Db, JobRow } from '../../../db/schema.ts';
import { urisOf } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';
import { authorize } from '../../rights.ts';

/**
 * A job by id, or by name within the caller's projects (the newest of that name).
 * @throws DelosError ERR_UNKNOWN_JOB where there is none that the caller may read, ERR_FORBIDDEN where it may only read
 */
export async function findJob(
  { database, settings }: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  idOrName: string,
  right: Right,
): Promise<JobRow> {
  const { db } = database;
  const row = (await byId(db, idOrName)) ?? (await byName(db, settings.cluster, caller, idOrName));
  return authorize(
    caller,
    row,
    right,
    () =>
      new DelosError('ERR_UNKNOWN_JOB', `there is no job ${JSON.stringify(idOrName)}`, {
        hint: 'apolo ps --all lists the jobs of your project',
      }),
    row === undefined ? [] : jobUris(row),
  );
}

/** By which a job may be shared. */
export const jobUris = (row: Pick<JobRow, 'cluster' | 'org' | 'project' | 'id' | 'name'>): readonly string[] =>
  urisOf('job', row.cluster, row);

async function byId(db: Db, id: string): Promise<JobRow | undefined> {
  if (!id.startsWith('job-')) return undefined;
  return db.selectFrom('jobs').selectAll().where('id', '=', id).executeTakeFirst();
}

async function byName(db: Db, cluster: string, caller: Caller, name: string): Promise<JobRow | undefined> {
  return db
    .selectFrom('jobs')
    .selectAll()
    .where('name', '=', name)
    .where('cluster', '=', cluster)
    .$if(!caller.admin, (query) => query.where(ofProjects(caller, { kind: 'job', names: ['id', 'name'] })))
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}
