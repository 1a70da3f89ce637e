import { projectHash, splitJobLabel, TERMINAL } from '@delos/core';
import type { Db, JobRow } from '../../../db/schema.ts';
import { httpOf } from '../jobs/index.ts';

const COLUMNS = [
  'id',
  'name',
  'org',
  'project',
  'status',
  'reason',
  'status_description',
  'pod_ip',
  'request',
  'cluster',
] as const;
type HostRow = Pick<JobRow, (typeof COLUMNS)[number]>;

/** Where a label leads, as the router of jobs reads it (artifacts/go/job-router). */
export interface JobHost {
  readonly job: string;
  readonly state: 'none' | 'waiting' | 'running' | 'ended';
  readonly login: boolean;
  readonly address: string;
  readonly port: number;
  readonly words: string;
}

/** To no job. It says the same as one that may not be seen, so that nobody learns which there are. */
export const NO_JOB: JobHost = { job: '', state: 'none', login: true, address: '', port: 0, words: '' };

/**
 * The job that a label names: by its id, or the newest of that name in that project.
 * @param cluster whose Pods can be reached
 */
export async function findJobHost(db: Db, cluster: string, label: string): Promise<JobHost> {
  const row = label.startsWith('job-') ? await byId(db, label) : await byName(db, cluster, label);
  const http = row === undefined || row.cluster !== cluster ? undefined : httpOf(row.request);
  if (row === undefined || http === undefined) return NO_JOB;
  const state = TERMINAL.has(row.status) ? 'ended' : row.status === 'running' ? 'running' : 'waiting';
  return {
    job: row.id,
    state,
    login: http.login,
    address: state === 'running' ? (row.pod_ip ?? '') : '',
    port: http.port,
    words: wordsOf(row),
  };
}

async function byId(db: Db, id: string): Promise<HostRow | undefined> {
  return db.selectFrom('jobs').select(COLUMNS).where('id', '=', id).executeTakeFirst();
}

async function byName(db: Db, cluster: string, label: string): Promise<HostRow | undefined> {
  const parts = splitJobLabel(label);
  if (parts === undefined) return undefined;
  // Few: projects are named in delos.yaml.
  const projects = await db.selectFrom('projects').select(['org', 'name']).execute();
  const project = projects.find(({ org, name }) => projectHash(org, name) === parts.hash);
  if (project === undefined) return undefined;
  return db
    .selectFrom('jobs')
    .select(COLUMNS)
    .where('name', '=', parts.name)
    .where('org', '=', project.org)
    .where('project', '=', project.name)
    .where('cluster', '=', cluster)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
}

const wordsOf = ({ status, reason, status_description: description }: HostRow): string =>
  `Status: ${[status, ...(reason === null ? [] : [`(${reason})`])].join(' ')}${description === null ? '' : `: ${description}`}`.slice(
    0,
    1000,
  );
