import type { Right } from '@delos/core';
import type { FlowLiveJobRow } from '../../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OfFlow, unknown } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type LiveJobOfFlow = FlowLiveJobRow & OfFlow;

/** @throws DelosError as `authorize` does */
export async function findLiveJob(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<LiveJobOfFlow> {
  const row = await database.db
    .selectFrom('flow_live_jobs')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_live_jobs.flow')
    .selectAll('flow_live_jobs')
    .select(['flow_projects.org', 'flow_projects.project'])
    .where('flow_live_jobs.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknown('live job', id, 'apolo-flow ps lists those of your flow'));
}
