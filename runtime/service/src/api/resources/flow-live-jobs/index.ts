import { FLOW_PATH } from '@delos/core';
import type { ObjectResource } from '../../resource.ts';
import { findLiveJob, type LiveJobOfFlow } from './find.ts';
import { flowLiveJobRoutes } from './routes.ts';

export const flowLiveJobs: ObjectResource<LiveJobOfFlow> = {
  name: 'flow-live-jobs',
  title: 'jobs of live flows, as live.yml lists them',
  prefix: `${FLOW_PATH}/live_jobs`,
  tables: ['flow_live_jobs'],
  routes: flowLiveJobRoutes,
  find: findLiveJob,
  audit: { 'POST ': 'flow-live-job.create', 'PUT /replace': 'flow-live-job.replace' },
};
