import type { Resource } from '../../resource.ts';
import { flowTriggerRoutes } from './routes.ts';

export const flowTriggers: Resource = {
  name: 'flow-triggers',
  title: 'signed requests that make bakes',
  prefix: '/api/v1/flow/triggers',
  tables: [],
  wanted: ({ secretsKey }) => secretsKey !== undefined,
  routes: flowTriggerRoutes,
  audit: { 'POST /:id': 'flow-trigger.call' },
};
