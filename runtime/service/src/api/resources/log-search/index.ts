import { LOG_SEARCH } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { retain } from './retention.ts';
import { searchRoutes } from './routes.ts';

/** Lines of the jobs of one's own projects, where the platform has something to search them in. */
export const logSearch: Resource = {
  name: 'log-search',
  title: 'search in the logs of jobs',
  prefix: LOG_SEARCH,
  tables: [],
  wanted: ({ logSearchUrl }) => logSearchUrl !== undefined,
  routes: searchRoutes,
  audit: {},
  sweep: retain,
};
