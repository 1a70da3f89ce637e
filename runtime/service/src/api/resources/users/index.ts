import type { Resource } from '../../resource.ts';
import { userRoutes } from './routes.ts';

export const users: Resource = {
  name: 'users',
  title: 'users and their permissions',
  prefix: '/api/v1/users',
  config: [{ in: 'cluster', key: 'users_url' }],
  tables: ['users', 'members', 'grants'],
  routes: userRoutes,
  asks: ['POST /:user/permissions/check'],
  audit: {
    'POST ': 'user.add',
    'DELETE /:user': 'user.remove',
    'POST /:user/permissions': 'permission.give',
    'DELETE /:user/permissions': 'permission.take',
  },
};
