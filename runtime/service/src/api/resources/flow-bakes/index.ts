import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { carriedBakeRoutes } from './carried-routes.ts';
import { type BakeOfFlow, findBake } from './find.ts';
import { flowBakeRoutes } from './routes.ts';

export const flowBakes: ObjectResource<BakeOfFlow> = {
  name: 'flow-bakes',
  title: 'bakes of flows',
  prefix: `${FLOW_PATH}/bakes`,
  tables: ['flow_bakes'],
  routes: (app, deps) => {
    flowBakeRoutes(app, deps);
    carriedBakeRoutes(app, deps);
  },
  find: findBake,
  audit: {
    'POST ': 'flow-bake.create',
    'POST /submit': 'flow-bake.submit',
    'POST /:id/restart': 'flow-bake.restart',
    'POST /:id/cancel': 'flow-bake.cancel',
  },
};
