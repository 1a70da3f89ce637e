import type { Quota } from '@delos/core';
import type { ActiveJob, Needs, SchedulerState } from './model.ts';

/** What the jobs of a scope use together. */
interface Usage {
  jobs: number;
  milliCpu: number;
  memory: number;
  gpu: number;
}

interface Scope {
  readonly who: string;
  readonly quota: Quota | undefined;
  readonly used: Usage;
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
  const usage = new Map<string, Usage>();
  const projects = new Map<string, Map<string, readonly Scope[]>>();
  const scope = (who: string, key: string, quota: Quota | undefined): Scope => {
    const used = usage.get(key) ?? { jobs: 0, milliCpu: 0, memory: 0, gpu: 0 };
    usage.set(key, used);
    return { who, quota, used };
  };
  /** A project and its organization; kept, since each queued job asks. */
  const scopes = (org: string, project: string): readonly Scope[] => {
    const ofOrg = projects.get(org) ?? new Map<string, readonly Scope[]>();
    projects.set(org, ofOrg);
    const found = ofOrg.get(project) ?? [
      scope(`project ${org}/${project}`, `${org}/${project}`, state.projectQuotas.get(`${org}/${project}`)),
      scope(`organization ${org}`, org, state.orgQuotas.get(org)),
    ];
    ofOrg.set(project, found);
    return found;
  };
  const book: QuotaBook = {
    exceeded: (org, project, needs) => {
      for (const { who, quota, used } of scopes(org, project)) {
        const words = quota === undefined ? undefined : exceeds(quota, used, needs);
        if (words !== undefined) return `${who} ${words}`;
      }
      return undefined;
    },
    charge: (org, project, needs) => {
      for (const { used } of scopes(org, project)) {
        used.jobs += 1;
        used.milliCpu += needs.milliCpu;
        used.memory += needs.memory;
        used.gpu += devicesOf(needs);
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
