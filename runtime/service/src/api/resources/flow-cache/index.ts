import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { type CacheEntryOfFlow, findCacheEntry } from './find.ts';
import { flowCacheRoutes } from './routes.ts';

export const flowCache: ObjectResource<CacheEntryOfFlow> = {
  name: 'flow-cache',
  title: 'what tasks have given, to be used again',
  prefix: `${FLOW_PATH}/cache_entries`,
  tables: ['flow_cache_entries'],
  routes: flowCacheRoutes,
  find: findCacheEntry,
  // Each task that succeeds keeps what it gave.
  asks: ['POST '],
  audit: { 'DELETE ': 'flow-cache.clear' },
};
