import type { Resource } from '../../resource.ts';
import { clusterRoutes } from './routes.ts';

export const clusters: Resource = {
  name: 'clusters',
  title: 'clusters and their presets, for administrators',
  prefix: '/api/v1/clusters',
  tables: [],
  routes: clusterRoutes,
  audit: {
    'POST /:cluster/orchestrator/resource_presets': 'preset.add',
    'PUT /:cluster/orchestrator/resource_presets/:preset': 'preset.change',
    'DELETE /:cluster/orchestrator/resource_presets/:preset': 'preset.remove',
  },
};
