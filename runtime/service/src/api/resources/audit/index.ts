import { signChain } from '../../../db/audit/checkpoints.ts';
import type { Resource } from '../../resource.ts';
import { auditRoutes } from './routes.ts';

export const audit: Resource = {
  name: 'audit',
  title: 'records of who did what',
  prefix: '/api/v1/audit',
  config: [],
  tables: ['audit', 'audit_head', 'audit_records', 'audit_openings', 'audit_checkpoints', 'audit_keys'],
  routes: auditRoutes,
  audit: {},
  sweep: async ({ database, settings }) => {
    if (settings.auditKeys !== undefined) await signChain(database.db, settings.auditKeys, Date.now());
  },
};
