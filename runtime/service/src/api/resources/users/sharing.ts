import { ACTIONS, type Action, DelosError, type ProjectRole, SHARED_KINDS } from '@delos/core';
import { sql } from 'kysely';
import { z } from 'zod';
import { heldClusters } from '../../../db/clusters/present.ts';
import { stopJob } from '../../../db/jobs-state.ts';
import type { JobRow } from '../../../db/schema.ts';
import { giveGrant, takeGrant, userNamed } from '../../../db/tenancy/grants.ts';
import { administer } from '../../authorization/administer.ts';
import { isGranted, placeOf, sharedUri } from '../../authorization/grants.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { liveProjects } from '../../live-projects.ts';

/** What a role in a project lets one do with what is in it. */
export const ACTION: Readonly<Record<ProjectRole, Action>> = {
  reader: 'read',
  writer: 'write',
  manager: 'manage',
  admin: 'manage',
};

export const permissions = z.array(z.object({ uri: z.string().max(1000), action: z.enum(ACTIONS) })).length(1);
export type Permission = z.infer<typeof permissions>[number];

type Deps = Pick<ApiDeps, 'database' | 'settings' | 'callerById'>;

/** A URI as it is kept. @throws DelosError ERR_REQUEST, ERR_NOT_IMPLEMENTED */
async function uriIn(deps: Deps, text: string): Promise<string> {
  return sharedUri(text, SHARED_KINDS, await heldClusters(deps.database.db, deps.settings.cluster));
}

/**
 * `apolo acl grant`, `apolo share`, `apolo run --share`. Managers of a project share what is in it, and people what they own.
 * @returns what the user may do now: more, where a role or another grant gives it
 * @throws DelosError ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_REQUEST. A job that was made by the same call of the client is ended then: it was
 * asked for together
 */
export async function share(
  deps: Deps,
  caller: Caller,
  request: { readonly user: string; readonly permission: Permission; readonly trace?: string | undefined },
): Promise<readonly Permission[]> {
  const { permission, trace } = request;
  const uri = await uriIn(deps, permission.uri);
  const job = await jobOf(deps, uri);
  try {
    await mayShare(deps, caller, uri, job);
    const user = await userNamed(deps.database.db, request.user);
    const has = await actionOf(deps, user.id, uri);
    if (has !== undefined && ACTIONS.indexOf(has) >= ACTIONS.indexOf(permission.action)) {
      return [{ uri: permission.uri, action: has }];
    }
    const { action } = permission;
    const given = await deps.database.tx((tx) => giveGrant(tx, user.id, { uri, action, by: caller.user }));
    return [{ uri: permission.uri, action: given }];
  } catch (error) {
    if (job === undefined || trace === undefined || job.made_by_trace !== trace || !(error instanceof DelosError))
      throw error;
    const end = {
      status: 'cancelled',
      reason: 'Killed',
      description: `could not be shared: ${error.message}`,
    } as const;
    await deps.database.tx((tx) => stopJob(tx, job.id, end));
    throw new DelosError(error.code, `${error.message}, so ${job.id} was ended again`);
  }
}

/** `apolo acl revoke`. @throws DelosError ERR_NOT_FOUND, ERR_FORBIDDEN, ERR_REQUEST */
export async function unshare(deps: Deps, caller: Caller, name: string, text: string): Promise<void> {
  const uri = await uriIn(deps, text);
  const user = await userNamed(deps.database.db, name);
  // Whoever was given a right may give it back.
  if (user.id !== caller.id) await mayShare(deps, caller, uri, await jobOf(deps, uri));
  await deps.database.tx((tx) => takeGrant(tx, user, uri));
}

async function jobOf({ database: { db } }: Deps, uri: string): Promise<JobRow | undefined> {
  const { kind, name } = placeOf(uri);
  if (kind !== 'job' || name === undefined || !name.startsWith('job-')) return undefined;
  return db.selectFrom('jobs').selectAll().where('id', '=', name).executeTakeFirst();
}

const OWNED = { job: 'jobs', disk: 'disks', blob: 'buckets' } as const;

/** @throws DelosError ERR_NOT_FOUND for what the caller may not know of; ERR_FORBIDDEN */
async function mayShare(deps: Deps, caller: Caller, uri: string, job: JobRow | undefined): Promise<void> {
  const { kind, org, project, name } = placeOf(uri);
  if (caller.admin || isGranted(caller, [uri], 'manage')) return;
  if (project === undefined) return administer(caller, { org }, 'organization');
  if (
    caller.roles.has(`${org}/${project}`) &&
    (await liveProjects(deps.database.db, [{ org, project }])).length === 0
  ) {
    throw new DelosError('ERR_NOT_FOUND', `there is no project ${org}/${project}`);
  }
  const role = caller.roles.get(`${org}/${project}`);
  if (role === 'manager' || role === 'admin') return;
  if (role === 'writer' && name !== undefined && kind in OWNED) {
    const owner =
      job === undefined ? await ownerOf(deps, kind as keyof typeof OWNED, { org, project, name }) : job.owner;
    const own = job === undefined || (job.org === org && job.project === project);
    if (own && owner === caller.user) return;
  }
  if (role === undefined && !isGranted(caller, [uri], 'read')) {
    throw new DelosError('ERR_NOT_FOUND', `there is no ${uri}, or it is not yours to see`);
  }
  throw new DelosError(
    'ERR_FORBIDDEN',
    `${caller.user} is no manager of project ${org}/${project}, and does not own ${uri}`,
    {
      hint: 'ask a manager of the project to share it',
    },
  );
}

async function ownerOf(
  { database: { db } }: Deps,
  kind: keyof typeof OWNED,
  { org, project, name }: { readonly org: string; readonly project: string; readonly name: string },
): Promise<string | undefined> {
  const { rows } = await sql<{ owner: string }>`select owner from ${sql.table(OWNED[kind])}
    where org = ${org} and project = ${project} and (id = ${name} or name = ${name})
    order by created_at desc limit 1`.execute(db);
  return rows[0]?.owner;
}

/** What a user may do with a URI already. */
async function actionOf(deps: Deps, user: number, uri: string): Promise<Action | undefined> {
  const them = await deps.callerById(user);
  const { org, project } = placeOf(uri);
  const role = project === undefined ? undefined : them.roles.get(`${org}/${project}`);
  const byRole = them.admin ? 'manage' : role === undefined ? undefined : ACTION[role];
  return ACTIONS.findLast((action) => isGranted(them, [uri], action) || byRole === action);
}
