import { ACTIONS, type Action, DelosError, type ProjectRole } from '@delos/core';
import { z } from 'zod';
import { stopJob } from '../../../db/jobs-state.ts';
import type { JobRow } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { findJob } from '../jobs/access.ts';

/** What a role in a project lets one do with its jobs. */
export const ACTION: Readonly<Record<ProjectRole, Action>> = {
  reader: 'read',
  writer: 'write',
  manager: 'manage',
  admin: 'manage',
};

export const permissions = z.array(z.object({ uri: z.string().max(1000), action: z.enum(ACTIONS) })).length(1);

/**
 * `apolo share`, `apolo run --share`. Who is in the job's project has the right already, and is told so. Otherwise it is
 * refused; `run --share` sends this after the job, which is then ended again: it was asked for together.
 */
export async function shareJob(
  deps: Pick<ApiDeps, 'database' | 'settings'>,
  caller: Caller,
  request: {
    readonly user: string;
    readonly permission: z.infer<typeof permissions>[number];
    readonly trace?: string | undefined;
  },
): Promise<z.infer<typeof permissions>> {
  const { user, permission, trace } = request;
  const id = /^job:\/\/[^/]+\/[^/]+\/[^/]+\/([^/]+)$/.exec(permission.uri)?.[1];
  if (id === undefined) throw notShared();
  const job = await findJob(deps, caller, id, 'write');
  const action = await actionOf(deps, user, job);
  if (action !== undefined && ACTIONS.indexOf(action) >= ACTIONS.indexOf(permission.action)) {
    return [{ uri: permission.uri, action }];
  }
  const member = `${user} is no member of project ${job.org}/${job.project} who may ${permission.action}`;
  if (trace === undefined || job.made_by_trace !== trace) throw notShared(member);
  const end = { status: 'cancelled', reason: 'Killed', description: `could not be shared: ${member}` } as const;
  await deps.database.tx((tx) => stopJob(tx, job.id, end));
  throw notShared(`${member}, so ${job.id} was ended again`);
}

async function actionOf(deps: Pick<ApiDeps, 'database'>, user: string, job: JobRow) {
  const row = await deps.database.db
    .selectFrom('members')
    .select('role')
    .where('user_name', '=', user)
    .where('org', '=', job.org)
    .where('project', '=', job.project)
    .executeTakeFirst();
  return row === undefined ? undefined : ACTION[row.role];
}

export function notShared(why?: string): DelosError {
  const first = why === undefined ? '' : `${why}: `;
  return new DelosError('ERR_NOT_IMPLEMENTED', `${first}sharing single things and roles is not part of this release`, {
    hint: 'make the user a member of the project in delos.yaml and run: delos up',
  });
}
