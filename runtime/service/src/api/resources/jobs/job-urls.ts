import { jobUrl, namedJobLabel } from '@delos/core';
import { z } from 'zod';
import type { JobRow } from '../../../db/schema.ts';
import type { ApiSettings } from '../../deps.ts';

/** What the addresses of jobs are made of. */
export type JobNames = Pick<ApiSettings, 'cluster' | 'publicUrl' | 'jobsDomain'>;

const httpSchema = z.object({ port: z.number(), requires_auth: z.boolean().default(false) });

/** What a job serves by HTTP; undefined where it serves nothing. */
export function httpOf(request: JobRow['request']): { readonly port: number; readonly login: boolean } | undefined {
  const parsed = httpSchema.safeParse(request.http);
  return parsed.success ? { port: parsed.data.port, login: parsed.data.requires_auth } : undefined;
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
