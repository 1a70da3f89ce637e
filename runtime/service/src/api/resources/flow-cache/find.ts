import type { Right } from '@delos/core';
import type { FlowCacheEntryRow } from '../../../db/flow/tables.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { type OfFlow, unknown } from '../../flow/find.ts';
import { authorize } from '../../rights.ts';

export type CacheEntryOfFlow = FlowCacheEntryRow & OfFlow;

/** @throws DelosError as `authorize` does */
export async function findCacheEntry(
  { database }: Pick<ApiDeps, 'database'>,
  caller: Caller,
  id: string,
  right: Right,
): Promise<CacheEntryOfFlow> {
  const row = await database.db
    .selectFrom('flow_cache_entries')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_cache_entries.flow')
    .selectAll('flow_cache_entries')
    .select(['flow_projects.org', 'flow_projects.project'])
    .where('flow_cache_entries.id', '=', id)
    .executeTakeFirst();
  return authorize(caller, row, right, unknown('entry in the cache', id, 'apolo-flow clear-cache forgets them'));
}
