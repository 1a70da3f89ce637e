import type { Dashboard } from '../base/metrics.ts';
import type { ServiceDescriptor } from '../base/service.ts';
import { cluster } from './cluster.ts';
import { gpus } from './gpus.ts';
import { jobs } from './jobs.ts';
import { platform } from './platform.ts';
import { projects } from './projects.ts';
import { storage } from './storage.ts';

/** Pages about more than one service. */
const SHARED: readonly Dashboard[] = [platform, cluster, gpus, jobs, projects, storage];

/** All dashboards of a platform of these services: those about all of it, and one for each service that has panels. */
export const dashboardsOf = (services: readonly ServiceDescriptor[]): readonly Dashboard[] => [
  ...SHARED,
  ...services.flatMap(({ name, idea, panels = [] }) =>
    panels.length === 0
      ? []
      : [{ name: `service-${name}`, title: `Service: ${name}`, idea, audience: 'platform' as const, panels }],
  ),
];
