import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { findTask, type TaskOfFlow } from './find.ts';
import { flowTaskRoutes } from './routes.ts';

export const flowTasks: ObjectResource<TaskOfFlow> = {
  name: 'flow-tasks',
  title: 'tasks of attempts',
  prefix: `${FLOW_PATH}/tasks`,
  tables: ['flow_tasks'],
  routes: flowTaskRoutes,
  find: findTask,
  // A bake tells of each task several times. Its jobs have audit lines of their own.
  asks: ['POST ', 'PUT /replace'],
  audit: {},
};
