import type { OrgRole, ProjectRole, Quota } from '@delos/core';
import { z } from 'zod';
import type { ClientBalance } from '../credits/index.ts';

/** Objects as the official client reads them (neuro-admin-client 25.12). */

export const quotaJson = (quota: Quota | undefined): Record<string, unknown> =>
  quota?.runningJobs === undefined ? {} : { total_running_jobs: quota.runningJobs };

export const orgJson = (
  org: { readonly name: string; readonly quota: Quota; readonly default_role: OrgRole },
  balance: ClientBalance,
): Record<string, unknown> => ({
  org_name: org.name,
  default_role: org.default_role,
  maintenance: false,
  quota: quotaJson(org.quota),
  balance,
});

export const userJson = (
  user: string,
  org: string | undefined,
  { quota, role = 'user' }: { readonly quota?: Quota | undefined; readonly role?: OrgRole | undefined } = {},
): Record<string, unknown> => ({
  user_name: user,
  role,
  ...(org === undefined ? {} : { org_name: org }),
  quota: quotaJson(quota),
  balance: { spent_credits: '0' },
  user_info: { email: '' },
});

export const orgUserJson = (user: string, role: OrgRole = 'user'): Record<string, unknown> => ({
  user_name: user,
  role,
  balance: { spent_credits: '0' },
  user_info: { email: '' },
});

export const projectJson = (
  cluster: string,
  project: {
    readonly org: string;
    readonly name: string;
    readonly is_default: boolean;
    readonly default_role: ProjectRole;
  },
): Record<string, unknown> => ({
  name: project.name,
  cluster_name: cluster,
  org_name: project.org,
  is_default: project.is_default,
  default_role: project.default_role,
});

export const projectUserJson = (
  cluster: string,
  member: { readonly org: string; readonly project: string; readonly user: string; readonly role: ProjectRole },
): Record<string, unknown> => ({
  user_name: member.user,
  cluster_name: cluster,
  org_name: member.org,
  project_name: member.project,
  role: member.role,
  user_info: { email: '' },
});

/** As the client sends a number of jobs. */
export const runningJobs = z.coerce.number().int().min(0).max(1_000_000_000).nullish();

/** Most running jobs; null: no limit. The client sends numbers, and texts of them. */
export const quotaRequest = z
  .object({ total_running_jobs: runningJobs })
  .nullish()
  .transform((given) => given?.total_running_jobs ?? null);
