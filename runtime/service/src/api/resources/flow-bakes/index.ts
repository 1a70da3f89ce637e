import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { type BakeOfFlow, findBake } from './find.ts';
import { flowBakeRoutes } from './routes.ts';

export const flowBakes: ObjectResource<BakeOfFlow> = {
  name: 'flow-bakes',
  title: 'bakes of flows',
  prefix: `${FLOW_PATH}/bakes`,
  tables: ['flow_bakes'],
  routes: flowBakeRoutes,
  find: findBake,
  audit: { 'POST ': 'flow-bake.create' },
};
