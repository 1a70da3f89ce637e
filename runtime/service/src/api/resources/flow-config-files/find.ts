import type { Right } from '@delos/core';
import type { FlowConfigFileRow } from '../../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OfFlow, unknown } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type ConfigFileOfFlow = FlowConfigFileRow & OfFlow;

/** @throws DelosError as `authorize` does */
export async function findConfigFile(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<ConfigFileOfFlow> {
  const row = await database.db
    .selectFrom('flow_config_files')
    .innerJoin('flow_bakes', 'flow_bakes.id', 'flow_config_files.bake')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_config_files')
    .select(['flow_bakes.flow', 'flow_projects.org', 'flow_projects.project'])
    .where('flow_config_files.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknown('configuration file', id, 'a bake brings those that it needs'));
}
