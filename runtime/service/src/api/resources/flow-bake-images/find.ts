import type { Right } from '@delos/core';
import type { FlowBakeImageRow } from '../../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OfFlow, unknown } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type BakeImageOfFlow = FlowBakeImageRow & OfFlow;

/** @throws DelosError as `authorize` does */
export async function findBakeImage(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<BakeImageOfFlow> {
  const row = await database.db
    .selectFrom('flow_bake_images')
    .innerJoin('flow_bakes', 'flow_bakes.id', 'flow_bake_images.bake')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_bake_images')
    .select(['flow_bakes.flow', 'flow_projects.org', 'flow_projects.project'])
    .where('flow_bake_images.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknown('image of a bake', id, 'apolo-flow inspect BAKE lists them'));
}
