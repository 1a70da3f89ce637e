import { FLOW_PATH } from '@delos/core';
import type { FlowProjectRow } from '../../../db/flow/tables.ts';
import { findFlow } from '../../flow/find.ts';
import type { ObjectResource } from '../../resource.ts';
import { flowProjectRoutes } from './routes.ts';

export const flowProjects: ObjectResource<FlowProjectRow> = {
  name: 'flow-projects',
  title: 'flows',
  prefix: `${FLOW_PATH}/projects`,
  tables: ['flow_projects'],
  routes: flowProjectRoutes,
  find: findFlow,
  audit: { 'POST ': 'flow.create', 'DELETE /:id': 'flow.remove' },
};
