import { jobUrl, namedJobLabel } from '@delos/core';
import type { JobRow } from '../../../db/schema.ts';
import type { ApiSettings } from '../../deps.ts';

/** What the addresses of jobs are made of. */
export type JobNames = Pick<ApiSettings, 'cluster' | 'publicUrl' | 'jobsDomain'>;

/** What a job serves by HTTP; undefined where it serves nothing. A list asks it of thousands of jobs: it is read by hand. */
export function httpOf({ http }: JobRow['request']): { readonly port: number; readonly login: boolean } | undefined {
  if (typeof http !== 'object' || http === null || !('port' in http) || typeof http.port !== 'number') return undefined;
  const login = 'requires_auth' in http ? http.requires_auth : false;
  return typeof login === 'boolean' ? { port: http.port, login } : undefined;
}

/** Where a job is reached: by its id, and by its name where it has one. The client opens the one with the name. */
export function jobUrls(
  row: Pick<JobRow, 'id' | 'name' | 'org' | 'project' | 'cluster' | 'request'>,
  { cluster, publicUrl, jobsDomain }: JobNames,
): { readonly http_url?: string; readonly http_url_named?: string } {
  // Pods of another cluster cannot be reached from here.
  if (jobsDomain === undefined || row.cluster !== cluster || httpOf(row.request) === undefined) return {};
  const { org, project, name } = row;
  return {
    http_url: jobUrl(publicUrl, jobsDomain, row.id),
    ...(name === null ? {} : { http_url_named: jobUrl(publicUrl, jobsDomain, namedJobLabel({ org, project, name })) }),
  };
}
