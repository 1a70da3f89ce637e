import type { Resource } from '../../resource.ts';
import { configRoutes } from './routes.ts';

export { poolJson, presetJson } from './routes.ts';

export const config: Resource = {
  name: 'config',
  title: "the client's configuration",
  prefix: '/api/v1/config',
  tables: ['clusters', 'nodes'],
  routes: configRoutes,
  audit: {},
};
