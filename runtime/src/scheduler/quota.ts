import type { Quota } from '@delos/core';
import type { ActiveJob, Needs, SchedulerState } from './model.ts';

/** What the jobs of a scope use together. */
interface Usage {
  jobs: number;
  milliCpu: number;
  memory: number;
  gpu: number;
}

/** Quotas of projects and organizations against what is used. */
export interface QuotaBook {
  /** Why a job would exceed a quota, in words; undefined where it would not. */
  exceeded(org: string, project: string, needs: Needs): string | undefined;
  charge(org: string, project: string, needs: Needs): void;
}

export function quotaBook(
  state: Pick<SchedulerState, 'orgQuotas' | 'projectQuotas'>,
  active: readonly ActiveJob[],
): QuotaBook {
  const used = new Map<string, Usage>();
  const usage = (scope: string): Usage => {
    const found = used.get(scope) ?? { jobs: 0, milliCpu: 0, memory: 0, gpu: 0 };
    used.set(scope, found);
    return found;
  };
  const scopes = (org: string, project: string) => [
    { who: `project ${org}/${project}`, key: `${org}/${project}`, quota: state.projectQuotas.get(`${org}/${project}`) },
    { who: `organization ${org}`, key: org, quota: state.orgQuotas.get(org) },
  ];
  const book: QuotaBook = {
    exceeded: (org, project, needs) => {
      for (const { who, key, quota } of scopes(org, project)) {
        const words = quota === undefined ? undefined : exceeds(quota, usage(key), needs);
        if (words !== undefined) return `${who} ${words}`;
      }
      return undefined;
    },
    charge: (org, project, needs) => {
      for (const { key } of scopes(org, project)) {
        const total = usage(key);
        total.jobs += 1;
        total.milliCpu += needs.milliCpu;
        total.memory += needs.memory;
        total.gpu += devicesOf(needs);
      }
    },
  };
  for (const job of active) book.charge(job.org, job.project, job.needs);
  return book;
}

function exceeds(quota: Quota, used: Usage, needs: Needs): string | undefined {
  if (quota.runningJobs !== undefined && used.jobs + 1 > quota.runningJobs) {
    return `runs ${used.jobs} jobs, its quota is ${quota.runningJobs}: this one waits until one of them ends`;
  }
  const checks = [
    {
      limit: quota.cpu === undefined ? undefined : quota.cpu * 1000,
      used: used.milliCpu,
      needed: needs.milliCpu,
      show: cores,
    },
    { limit: quota.memory, used: used.memory, needed: needs.memory, show: showBytes },
    { limit: quota.gpu, used: used.gpu, needed: devicesOf(needs), show: (devices: number) => `${devices} GPUs` },
  ];
  for (const { limit, used: now, needed, show } of checks) {
    if (limit === undefined || needed === 0 || now + needed <= limit) continue;
    return `uses ${show(now)} of its quota of ${show(limit)}, and this job needs ${show(needed)}`;
  }
  return undefined;
}

function devicesOf(needs: Needs): number {
  return Object.values(needs.extended).reduce((sum, devices) => sum + devices, 0);
}

function cores(milliCpu: number): string {
  return `${milliCpu / 1000} cores`;
}

/** In MiB below one GiB. */
export function showBytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${Math.round(bytes / 2 ** 20)} MiB` : `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}
