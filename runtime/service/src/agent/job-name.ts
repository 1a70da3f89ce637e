import type { JobPodSpec } from '@delos/core';

/** Whether a project can give its jobs names in cluster DNS: a Service has its name (RFC 1035: a letter first). */
export const namesJobs = (project: string): boolean => /^[a-z]/.test(project);

/** What a job's Pod calls itself, so that others of its project find it as `HOSTNAME.SUBDOMAIN`. */
export const podName = (
  id: string,
  { name, project }: Pick<JobPodSpec, 'name' | 'project'>,
): Readonly<Record<string, string>> => (namesJobs(project) ? { hostname: name ?? id, subdomain: project } : {});
