import { DelosError, type Right } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Db, JobRow } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
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
  );
}

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
    .$if(!caller.admin, (query) =>
      query.where(sql<SqlBool>`org || '/' || project = any (${[...caller.roles.keys()]}::text[])`),
    )
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}
