import { JOB_HOSTS_PATH } from '@delos/core';
import type { Resource } from '../../resource.ts';
import { jobHostRoutes } from './routes.ts';

/** Which job an address leads to: what the router of jobs asks. The gateway has no way here. */
export const jobHosts: Resource = {
  name: 'job-hosts',
  title: 'addresses of jobs: where they lead',
  prefix: JOB_HOSTS_PATH,
  tables: [],
  wanted: ({ jobsDomain }) => jobsDomain !== undefined,
  routes: jobHostRoutes,
  audit: {},
};
