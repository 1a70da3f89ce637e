import { FILE_STORAGE_PATH } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { storageRoutes } from './routes.ts';
import { stopWriters } from './stop-writers.ts';

export { fileMountsFor, storageVolumes, textOfFile } from './mounts.ts';

/** Files themselves are served by a program of their own, which asks here who may do what. */
export const storage: Resource = {
  name: 'storage',
  title: 'files: what a caller may do in projects',
  prefix: FILE_STORAGE_PATH,
  config: [{ in: 'cluster', key: 'storage_url' }],
  tables: [],
  wanted: ({ filesUrl }) => filesUrl !== undefined,
  routes: storageRoutes,
  sweep: stopWriters,
  audit: {},
};
