import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { type BakeImageOfFlow, findBakeImage } from './find.ts';
import { flowBakeImageRoutes } from './routes.ts';

export const flowBakeImages: ObjectResource<BakeImageOfFlow> = {
  name: 'flow-bake-images',
  title: 'images that bakes build',
  prefix: `${FLOW_PATH}/bake_images`,
  tables: ['flow_bake_images'],
  routes: flowBakeImageRoutes,
  find: findBakeImage,
  audit: { 'POST ': 'flow-bake-image.create', 'PATCH /:id': 'flow-bake-image.change' },
};
