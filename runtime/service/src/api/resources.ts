import type { ApiSettings } from './deps.ts';
import type { Resource } from './resource.ts';
import { admin } from './resources/admin/index.ts';
import { buckets } from './resources/buckets/index.ts';
import { clusters } from './resources/clusters/index.ts';
import { config } from './resources/config/index.ts';
import { disks } from './resources/disks/index.ts';
import { flowAttempts } from './resources/flow-attempts/index.ts';
import { flowBakeImages } from './resources/flow-bake-images/index.ts';
import { flowBakes } from './resources/flow-bakes/index.ts';
import { flowCache } from './resources/flow-cache/index.ts';
import { flowConfigFiles } from './resources/flow-config-files/index.ts';
import { flowLiveJobs } from './resources/flow-live-jobs/index.ts';
import { flowProjects } from './resources/flow-projects/index.ts';
import { flowTasks } from './resources/flow-tasks/index.ts';
import { headless } from './resources/headless/index.ts';
import { jobHosts } from './resources/job-hosts/index.ts';
import { jobs } from './resources/jobs/index.ts';
import { logSearch } from './resources/log-search/index.ts';
import { login } from './resources/login/index.ts';
import { metrics } from './resources/metrics/index.ts';
import { registry } from './resources/registry/index.ts';
import { registryTokens } from './resources/registry-tokens/index.ts';
import { secrets } from './resources/secrets/index.ts';
import { serviceAccounts } from './resources/service-accounts/index.ts';
import { storage } from './resources/storage/index.ts';
import { users } from './resources/users/index.ts';

/** Every resource of the API: one folder and one line. */
export const RESOURCES = {
  config,
  headless,
  login,
  jobs,
  'job-hosts': jobHosts,
  disks,
  buckets,
  secrets,
  users,
  admin,
  clusters,
  'service-accounts': serviceAccounts,
  metrics,
  'log-search': logSearch,
  registry,
  'registry-tokens': registryTokens,
  storage,
  'flow-projects': flowProjects,
  'flow-live-jobs': flowLiveJobs,
  'flow-bakes': flowBakes,
  'flow-attempts': flowAttempts,
  'flow-tasks': flowTasks,
  'flow-cache': flowCache,
  'flow-config-files': flowConfigFiles,
  'flow-bake-images': flowBakeImages,
} as const satisfies Readonly<Record<string, Resource>>;

/** Those that a platform of these settings has. */
export const resourcesFor = (settings: ApiSettings): Readonly<Record<string, Resource>> =>
  Object.fromEntries(
    Object.entries<Resource>(RESOURCES).filter(([, { wanted }]) => wanted === undefined || wanted(settings)),
  );
