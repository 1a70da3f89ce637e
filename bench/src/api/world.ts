import type { Processes } from './processes.ts';

/** Who asks, and about what. */
export const CLUSTER = 'default';
export const ORG = 'acme';
export const PROJECTS = Array.from({ length: 20 }, (_, at) => `project-${at + 1}`);
export const USERS = Array.from({ length: 40 }, (_, at) => `user-${at + 1}`);
export const PRESET = 'cpu-small';

/** Limits of how often somebody may ask are not what is measured. */
const MUCH = { perSecond: 100_000, burst: 1_000_000 };
const MOST = 1_000_000;

/** Each user is a member of two projects, each project has four members. */
export const CONFIG = {
  users: USERS.map((name) => ({ name })),
  presets: [{ name: PRESET, cpu: 0.1, memory: '128Mi' }],
  requests: { ofUser: MUCH, ofSource: MUCH },
  jobs: { queuedPerUser: MOST, queuedPerProject: MOST },
  organizations: [
    {
      name: ORG,
      projects: PROJECTS.map((name, at) => ({
        name,
        members: USERS.flatMap((user, nth) => (projectsOf(nth).includes(at) ? [{ user }] : [])),
      })),
    },
  ],
};

function projectsOf(user: number): readonly number[] {
  return [user % PROJECTS.length, (user + 7) % PROJECTS.length];
}

/** The project that a user works in. */
export const projectOf = (user: number): string => PROJECTS[user % PROJECTS.length] ?? '';

/** What the official client sends for `apolo run --detach`. */
export const submission = (user: number): unknown => ({
  preset_name: PRESET,
  image: 'ghcr.io/neuro-inc/base',
  command: 'sh -c "python train.py --lr 0.1"',
  env: { PYTHONUNBUFFERED: '1', DATASET: '/data/train' },
  tags: ['bench'],
  cluster_name: CLUSTER,
  org_name: ORG,
  project_name: projectOf(user),
  pass_config: false,
  max_run_time_minutes: 1440,
  http: { port: 80, requires_auth: true },
  resources: { shm: true },
});

/** Jobs that are alive among the others: half of them run, half of them wait. */
export const LIVE = 400;

/**
 * Fills the table: copies of a job that the API itself has made, over thirty days and all projects. The newest are alive, all others have ended.
 * Each has its history of three or four entries.
 */
export async function fill({ sql }: Pick<Processes, 'sql'>, count: number, pattern: string): Promise<void> {
  await sql(
    `insert into jobs (id, cluster, org, project, owner, name, preset, request, spec, tags, phase, status,
       created_at, phase_at, admitted_at, first_started_at, started_at, finished_at, exit_code, logs_complete, node, pod_uid, pool)
     select 'job-' || gen_random_uuid(), p.cluster, p.org, 'project-' || (1 + n % $1), 'user-' || (1 + n % $2),
       case when n % 3 = 0 then 'train-' || n end, p.preset, p.request, p.spec, array['bench', 'sweep-' || (n % 500)],
       case when waits then 'queued' when runs then 'running' else 'gone' end,
       case when waits then 'pending' when runs then 'running'
         when n % 20 = 0 then 'cancelled' when n % 7 = 0 then 'failed' else 'succeeded' end,
       at, at, ran, ran, ran, case when not (waits or runs) then at + interval '9 min' end,
       case when not (waits or runs) then n % 2 end, not (waits or runs),
       case when not waits then 'node-1' end, case when not waits then gen_random_uuid()::text end,
       case when not waits then 'default' end
     from jobs as p, generate_series(1, $3::int) as n,
       lateral (select n > $3::int - $4 and n % 2 = 1 as waits, n > $3::int - $4 and n % 2 = 0 as runs,
         now() - (interval '30 days') * ($3::int + 1 - n) / $3::int as at) as t,
       lateral (select case when not waits then at + interval '2 s' end as ran) as r
     where p.id = $5`,
    [PROJECTS.length, USERS.length, count, LIVE, pattern],
  );
  await sql(
    `insert into job_transitions (job, seq, status, reason, at)
     select id, seq, case when seq < 3 then 'pending' when seq = 3 then 'running' else status end,
       case seq when 1 then 'Creating' when 2 then 'Scheduling' end, created_at + seq * interval '1 s'
     from jobs, generate_series(1, 4) as seq where id <> $1 and (seq < 4 or phase = 'gone')`,
    [pattern],
  );
  await sql('vacuum analyze jobs');
  await sql('vacuum analyze job_transitions');
}
