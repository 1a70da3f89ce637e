import type { Right } from '@delos/core';
import type { FlowTaskRow } from '../../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OfFlow, unknown } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type TaskOfFlow = FlowTaskRow & OfFlow;

/** @throws DelosError as `authorize` does */
export async function findTask(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<TaskOfFlow> {
  const row = await database.db
    .selectFrom('flow_tasks')
    .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
    .innerJoin('flow_bakes', 'flow_bakes.id', 'flow_attempts.bake')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_tasks')
    .select(['flow_bakes.flow', 'flow_projects.org', 'flow_projects.project'])
    .where('flow_tasks.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknown('task', id, 'apolo-flow inspect BAKE lists those of a bake'));
}
