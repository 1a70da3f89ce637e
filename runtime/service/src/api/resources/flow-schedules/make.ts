import { randomUUID } from 'node:crypto';
import { DelosError, type NewSchedule } from '@delos/core';
import { checkSchedule, dueRuns } from '@delos/engine';
import { isUnique } from '../../../db/flow/bakes.ts';
import type { FlowScheduleRow } from '../../../db/flow/schedule-tables.ts';
import { makeTriggerSecret } from '../../../db/flow/trigger-secrets.ts';
import { checkSubmission } from '../../bakes/submit.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { projectFor } from '../../project-for.ts';
import { toldParams } from '../../schedules/look-at-files.ts';
import { authorizeFolder, folderOf } from '../../schedules/storage-files.ts';
import { stillUser } from '../../still-user.ts';

const MOST_SCHEDULES = 100;

/**
 * Makes a schedule of the caller's, whose bake is looked through as if it were made now.
 * @throws DelosError ERR_REQUEST, ERR_FORBIDDEN, ERR_CONFLICT where the project has one of its name, ERR_QUOTA_EXCEEDED
 */
export async function makeSchedule(
  deps: ApiDeps,
  asked: NewSchedule,
  caller: Caller,
): Promise<{ readonly row: FlowScheduleRow; readonly secret: string | null }> {
  const { database, settings } = deps;
  const { cron = null, time_zone: timeZone, missed, overlap, trigger, bake, name, storage } = asked;
  if (cron !== null) {
    try {
      checkSchedule({ cron, timeZone });
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new DelosError('ERR_REQUEST', error.message, {
        where: { field: error.message.includes('time zone') ? 'time_zone' : 'cron' },
        hint: 'five fields, such as `30 2 * * 1-5`, and a time zone such as Europe/Berlin',
      });
    }
  }
  const { secretsKey } = settings;
  if (trigger && secretsKey === undefined) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no key for secrets, and so no triggers');
  }
  if (storage != null && settings.filesUrl === undefined) {
    throw new DelosError('ERR_NOT_IMPLEMENTED', 'this platform has no file storage, and so nothing to look at', {
      where: { field: 'storage' },
    });
  }
  return database.tx(async (tx) => {
    await stillUser(tx, caller);
    const project = await projectFor(tx, { org: bake.org_name, name: bake.project_name }, caller);
    const where = { org: project.org, project: project.name };
    const place = { cluster: settings.cluster, ...where, user: caller.user };
    checkSubmission({ ...bake, params: { ...bake.params, ...(storage == null ? {} : toldParams(storage)) } }, place);
    if (storage != null) await authorizeFolder(deps, caller, folderOf(storage, place));
    // One after the other: they are counted.
    await tx
      .selectFrom('projects')
      .select('name')
      .where('org', '=', where.org)
      .where('name', '=', where.project)
      .forNoKeyUpdate()
      .execute();
    const { count } = await tx
      .selectFrom('flow_schedules')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('org', '=', where.org)
      .where('project', '=', where.project)
      .executeTakeFirstOrThrow();
    if (count >= MOST_SCHEDULES) {
      throw new DelosError(
        'ERR_QUOTA_EXCEEDED',
        `project ${where.org}/${where.project} has ${count} schedules, the most of one project`,
      );
    }
    const now = Date.now();
    const next = cron === null ? null : dueRuns({ cron, timeZone, missed }, now, now).next;
    const row = await tx
      .insertInto('flow_schedules')
      .values({
        id: `schedule-${randomUUID()}`,
        ...where,
        name,
        owner: caller.id,
        cron,
        time_zone: timeZone,
        missed,
        overlap,
        // Where it belongs is settled now, and not by the owner's first project later.
        bake: JSON.stringify({ ...bake, org_name: where.org, project_name: where.project }),
        after_at: new Date(now),
        next_at: next === null ? null : new Date(next),
        ...{ sealed: null, wrapped_key: null, key_id: null },
        storage: storage == null ? null : JSON.stringify(storage),
      })
      .returningAll()
      .executeTakeFirstOrThrow()
      .catch((error: unknown) => {
        if (!isUnique(error, 'flow_schedules_name')) throw error;
        throw new DelosError('ERR_CONFLICT', `project ${where.org}/${where.project} has a schedule ${name} already`, {
          hint: `remove it first: delos flow schedule rm ${name}`,
        });
      });
    if (storage != null) {
      await tx
        .insertInto('flow_watches')
        .values({ schedule: row.id, looked_at: null, seen: null, last: null, problem: null })
        .execute();
    }
    const secret = trigger && secretsKey !== undefined ? await makeTriggerSecret(tx, secretsKey, row.id) : null;
    return { row: secret === null ? row : { ...row, key_id: 'set' }, secret };
  });
}
