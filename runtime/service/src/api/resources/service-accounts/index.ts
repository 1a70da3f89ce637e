import type { Resource } from '../../resource.ts';
import { serviceAccountRoutes } from './routes.ts';

export const serviceAccounts: Resource = {
  name: 'service-accounts',
  title: 'service accounts',
  prefix: '/api/v1/service_accounts',
  tables: ['service_accounts'],
  routes: serviceAccountRoutes,
  audit: { 'POST ': 'service-account.create', 'DELETE /:account': 'service-account.remove' },
};
