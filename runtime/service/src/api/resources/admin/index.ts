import type { Resource } from '../../resource.ts';
import { adminRoutes } from './routes.ts';

export const admin: Resource = {
  name: 'admin',
  title: 'administration',
  prefix: '/apis/admin/v1',
  config: [{ in: 'platform', key: 'admin_url' }],
  tables: ['organizations', 'projects'],
  routes: adminRoutes,
  audit: {
    'PATCH /orgs/:org/balance': 'credits.add',
    'POST /*': 'admin.change',
    'PUT /*': 'admin.change',
    'PATCH /*': 'admin.change',
    'DELETE /*': 'admin.change',
  },
};
