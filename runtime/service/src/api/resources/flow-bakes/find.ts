import type { Right } from '@delos/core';
import type { FlowBakeRow } from '../../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OfFlow, unknownBake } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type BakeOfFlow = FlowBakeRow & OfFlow;

/** A bake with its graphs. @throws DelosError as `authorize` does */
export async function findBake(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<BakeOfFlow> {
  const row = await database.db
    .selectFrom('flow_bakes')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_bakes')
    .select(['flow_projects.org', 'flow_projects.project'])
    .where('flow_bakes.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknownBake(id));
}
