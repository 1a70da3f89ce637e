import type { Resource } from '../../resource.ts';
import { adminRoutes } from './routes.ts';

export const admin: Resource = {
  name: 'admin',
  title: 'administration',
  prefix: '/apis/admin/v1',
  config: [{ in: 'platform', key: 'admin_url' }],
  tables: ['organizations', 'projects', 'org_members', 'person_quotas'],
  routes: adminRoutes,
  audit: {
    'PATCH /orgs/:org/balance': 'credits.add',
    'POST /orgs': 'organization.add',
    'DELETE /orgs/:org': 'organization.remove',
    'POST /orgs/:org/users': 'organization-member.add',
    'DELETE /orgs/:org/users/:user': 'organization-member.remove',
    'POST /clusters/:cluster/orgs': 'organization.change',
    'PUT /clusters/:cluster/orgs/:org': 'organization.change',
    'PATCH /clusters/:cluster/orgs/:org/quota': 'organization.change',
    'PATCH /clusters/:cluster/orgs/:org/defaults': 'organization.change',
    'POST /clusters/:cluster/users': 'organization-member.add',
    'PUT /clusters/:cluster/orgs/:org/users/:user': 'organization-member.change',
    'PATCH /clusters/:cluster/orgs/:org/users/:user/quota': 'organization-member.change',
    'DELETE /clusters/:cluster/orgs/:org/users/:user': 'organization-member.remove',
    'POST /clusters/:cluster/orgs/:org/projects': 'project.add',
    'PUT /clusters/:cluster/orgs/:org/projects/:project': 'project.change',
    'DELETE /clusters/:cluster/orgs/:org/projects/:project': 'project.remove',
    'POST /clusters/:cluster/orgs/:org/projects/:project/users': 'member.add',
    'PUT /clusters/:cluster/orgs/:org/projects/:project/users/:user': 'member.change',
    'DELETE /clusters/:cluster/orgs/:org/projects/:project/users/:user': 'member.remove',
    // Refused to everybody.
    'POST /*': 'admin.change',
    'PUT /*': 'admin.change',
    'PATCH /*': 'admin.change',
    'DELETE /*': 'admin.change',
  },
};
