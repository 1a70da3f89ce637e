import { DelosError, type Quota } from '@delos/core';
import { sql } from 'kysely';
import type { Tx } from '../../../db/schema.ts';
import type { OwnedProject } from '../../project-for.ts';
import type { JobRequest } from './request.ts';

/** What a new job asks of its project, organization and owner. */
export interface JobDemand {
  /** A quota is of one cluster: each has it anew. */
  readonly cluster: string;
  readonly request: JobRequest;
  /** Whose job it is. */
  readonly owner: string;
  readonly project: OwnedProject;
  readonly needs: Needs;
}

/** Whose live jobs are counted, and what they may be together. */
interface Counted {
  readonly who: string;
  readonly quota: Quota;
  readonly limit: Quota;
  /** @default all of the organization */
  readonly project?: string;
  /** @default everybody's */
  readonly owner?: string;
}

interface Needs {
  readonly cpu: number;
  readonly memory: number;
  readonly extended: Readonly<Record<string, number>>;
}

/**
 * What can never run is refused at once; so is a job beyond the number of running jobs, unless it is told to wait for
 * its seat. Otherwise it waits in the queue. The scheduler alone enforces quotas: this is a courtesy, and may be late.
 * @throws DelosError ERR_QUOTA_EXCEEDED
 */
export async function checkQuotas(tx: Tx, { cluster, request, owner, project, needs }: JobDemand): Promise<void> {
  const own = await tx
    .selectFrom('person_quotas')
    .select('quota')
    .where('org', '=', project.org)
    .where('user_name', '=', owner)
    .executeTakeFirst();
  const scopes: readonly Counted[] = [
    {
      who: `project ${project.org}/${project.name}`,
      quota: project.quota,
      limit: project.share.limit,
      project: project.name,
    },
    {
      who: `organization ${project.org}`,
      quota: project.org_quota,
      limit: project.org_share.limit,
    },
    ...(own === undefined
      ? []
      : [{ who: `${owner} in organization ${project.org}`, quota: own.quota, limit: {}, owner }]),
  ];
  for (const { who, quota, limit, project: name = null, owner: by = null } of scopes) {
    for (const [rule, most] of Object.entries({ quota, limit })) {
      const never = whyNever(most, needs);
      if (never === undefined) continue;
      throw new DelosError('ERR_QUOTA_EXCEEDED', `the ${rule} of ${who} is ${never}: it would never run`, {
        hint: `choose a smaller preset, or ask the administrator to raise the ${rule}`,
      });
    }
    if (quota.runningJobs === undefined || request.meta.wait_for_jobs_quota === true) continue;
    const { rows } = await sql<{ live: number }>`select count(*)::int as live from jobs
      where cluster = ${cluster} and org = ${project.org} and (${name}::text is null or project = ${name})
      and (${by}::text is null or owner = ${by})
      and status in ('pending', 'suspended', 'running') and carries is null`.execute(tx);
    const live = rows[0]?.live ?? 0;
    if (live >= quota.runningJobs) {
      throw new DelosError(
        'ERR_QUOTA_EXCEEDED',
        `the quota of ${who} is ${jobs(quota.runningJobs)}, and it has ${jobs(live)} already`,
        {
          hint: 'wait for one to end, kill one, or run with --wait-for-seat',
        },
      );
    }
  }
}

/** What a job exceeds though it were alone; undefined where nothing. */
function whyNever(most: Quota, needs: Needs): string | undefined {
  const gpus = Object.values(needs.extended).reduce((sum, devices) => sum + devices, 0);
  if (most.runningJobs === 0) return '0 running jobs';
  if (most.cpu !== undefined && needs.cpu > most.cpu) return `${most.cpu} cores, and this job needs ${needs.cpu}`;
  if (most.memory !== undefined && needs.memory > most.memory)
    return `${gib(most.memory)} of memory, and this job needs ${gib(needs.memory)}`;
  if (most.gpu !== undefined && gpus > most.gpu) return `${most.gpu} GPUs, and this job needs ${gpus}`;
  return undefined;
}

function gib(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(1)} GiB`;
}

const jobs = (count: number): string => `${count} ${count === 1 ? 'job' : 'jobs'}`;
