import { DelosError } from '@delos/core';
import { type SqlBool, sql } from 'kysely';
import type { Db, JobRow } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';

/** Finds jobs for callers; see {@link ApiDeps.jobFor}. */
export function jobAccess(db: Db, cluster: string): ApiDeps['jobFor'] {
  return async (caller, idOrName, right) => {
    const row = (await byId(db, idOrName)) ?? (await byName(db, cluster, caller, idOrName));
    const role = row === undefined ? undefined : caller.roles.get(`${row.org}/${row.project}`);
    if (row === undefined || (role === undefined && !caller.admin)) {
      throw new DelosError('ERR_UNKNOWN_JOB', `there is no job ${JSON.stringify(idOrName)}`, {
        hint: 'apolo ps --all lists the jobs of your project',
      });
    }
    if (right === 'write' && role === 'reader' && !caller.admin) {
      throw new DelosError('ERR_FORBIDDEN', `${caller.user} may only read in project ${row.org}/${row.project}`, {
        hint: 'ask the administrator for the role writer in this project',
      });
    }
    return row;
  };
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
