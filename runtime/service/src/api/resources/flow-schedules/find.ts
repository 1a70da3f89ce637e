import type { Right } from '@delos/core';
import type { FlowScheduleRow } from '../../../db/flow/schedule-tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { unknown } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type ScheduleOfProject = FlowScheduleRow;

/** @throws DelosError as `authorize` does */
export async function findSchedule(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<ScheduleOfProject> {
  const row = await database.db.selectFrom('flow_schedules').selectAll().where('id', '=', id).executeTakeFirst();
  return authorize(caller, row, right, unknown('schedule', id, 'delos flow schedule ls lists them'));
}
