import type { JobRow } from '../../../db/schema.ts';
import type { ObjectResource, QuotaResource } from '../../resource.ts';
import { objectStreams } from '../../stream.ts';
import { findJob, jobUris } from './access.ts';
import { capacityRoute } from './capacity.ts';
import { checkQuotas, type JobDemand } from './quotas.ts';
import { jobRoutes } from './routes.ts';
import { saveRoute } from './save.ts';
import { jobStreams } from './streams/index.ts';

export { findJob, jobUris } from './access.ts';
export { httpOf } from './job-urls.ts';

export const jobs: ObjectResource<JobRow> & QuotaResource<JobDemand> = {
  name: 'jobs',
  title: 'jobs',
  prefix: '/api/v1/jobs',
  config: [{ in: 'cluster', key: 'monitoring_url' }],
  tables: ['jobs', 'job_transitions', 'log_streams', 'log_chunks', 'log_usage'],
  routes: (app, deps) => {
    capacityRoute(app, deps);
    jobRoutes(app, deps);
    saveRoute(app, deps);
  },
  streams: objectStreams(findJob, jobStreams, jobUris),
  find: findJob,
  quota: checkQuotas,
  audit: {
    'POST ': 'job.run',
    'DELETE /:id': 'job.kill',
    'POST /:id/kill': 'job.kill',
    'PUT /:id/max_run_time_minutes': 'job.extend',
    'POST /:id/save': 'job.save',
  },
};
