import { isDeepStrictEqual } from 'node:util';
import { ACTIVE_PHASES, extendedResources, type JobPodSpec, PLAIN_SHARE } from '@delos/core';
import { sql } from 'kysely';
import type { Db, DiskRow, JobRow } from '../db/schema.ts';
import type { Facts, PlannedDisk, PlannedJob, ReportedNode } from './planned.ts';

const COLUMNS = [
  'id',
  'org',
  'project',
  'owner',
  'preset',
  'phase',
  'reason',
  'status_description',
  'priority',
  'preemptible',
  'run',
  'pool',
  'pools',
  'node',
  'planned_node',
  'created_at',
  'admitted_at',
  'started_at',
  'first_started_at',
  'ran_seconds',
  'phase_at',
  'schedule_timeout',
  'max_run_time_minutes',
  'pull_failing_since',
  'retry_at',
  'held_for',
] as const;

/** A disk as it is read with a job that mounts it. */
interface MountedRow {
  readonly id: string;
  readonly name: string;
  readonly readOnly: boolean;
  readonly status: DiskRow['status'];
  readonly description: string | null;
  readonly nodes: readonly string[] | null;
}

export type ScheduledRow = Pick<JobRow, (typeof COLUMNS)[number]> & {
  readonly resources: JobPodSpec['resources'];
  /** Null: it mounts none. */
  readonly disks: readonly MountedRow[] | null;
};

/** What the scheduler reads of jobs. */
export function selectJobs(db: Db, cluster: string) {
  return (
    db
      .selectFrom('jobs')
      .select(COLUMNS)
      // Of the specification, which may be long, only this.
      .select(sql<JobPodSpec['resources']>`spec -> 'resources'`.as('resources'))
      .select(
        sql<ScheduledRow['disks']>`case when spec ? 'disks' then (
          select json_agg(json_build_object('id', d.id, 'name', coalesce(d.name, d.id), 'readOnly', m.read_only,
            'status', d.status, 'description', d.description, 'nodes', d.nodes) order by d.id)
          from job_disks m join disks d on d.id = m.disk where m.job = jobs.id) end`.as('disks'),
      )
      .where('cluster', '=', cluster)
  );
}

/** Undefined for a job that is neither in the queue nor on a node, and for one that is held back in the queue. */
export function plannedJob(row: ScheduledRow, now = new Date()): PlannedJob | undefined {
  const { pool, node } = row;
  const isActive = ACTIVE_PHASES.includes(row.phase) && pool !== null;
  if (row.phase !== 'queued' && !isActive) return undefined;
  if (row.phase === 'queued' && row.held_for !== null) return undefined;
  if (row.phase === 'queued' && row.retry_at !== null && row.retry_at > now) return undefined;
  return {
    id: row.id,
    org: row.org,
    project: row.project,
    owner: row.owner,
    preset: row.preset,
    resources: row.resources,
    pools: row.pools,
    priority: row.priority,
    preemptible: row.preemptible,
    run: row.run,
    createdAt: row.created_at,
    lifeSpanMinutes: row.max_run_time_minutes === null ? null : row.max_run_time_minutes - row.ran_seconds / 60,
    disks: (row.disks ?? []).map(plannedDisk),
    active: isActive
      ? {
          pool,
          node,
          planned: row.planned_node,
          since: row.started_at ?? row.admitted_at ?? row.created_at,
          leaving: row.phase === 'stopping',
        }
      : undefined,
  };
}

function plannedDisk({ id, name, readOnly, status, description, nodes }: MountedRow): PlannedDisk {
  const missing = {
    pending: 'is still being made',
    broken: `is broken: ${description ?? 'nobody knows why'}`,
    ready: null,
  };
  return { id, name, readOnly, missing: missing[status], nodes };
}

/** Jobs that hold room now. */
export async function loadActive(db: Db, cluster: string): Promise<readonly PlannedJob[]> {
  const rows = await selectJobs(db, cluster).where('phase', 'in', ACTIVE_PHASES).execute();
  return rows.flatMap((row) => plannedJob(row) ?? []);
}

export async function loadNodes(db: Db, cluster: string): Promise<readonly ReportedNode[]> {
  const rows = await db.selectFrom('nodes').select('report').where('cluster', '=', cluster).execute();
  return rows.map((row) => row.report);
}

/** Configuration, each list in one order whatever the database's. */
export async function loadFacts(db: Db, cluster: string): Promise<Facts> {
  const organizations = await db
    .selectFrom('organizations')
    .select(['name', 'quota', 'share'])
    .orderBy('name')
    .execute();
  const projects = await db
    .selectFrom('projects')
    .select(['org', 'name', 'quota', 'share'])
    .orderBy('org')
    .orderBy('name')
    .execute();
  const members = await db
    .selectFrom('members')
    .select(['org', 'project', 'user_name as user', 'share'])
    .orderBy('org')
    .orderBy('project')
    .orderBy('user_name')
    .execute();
  const people = await db
    .selectFrom('person_quotas')
    .select(['org', 'user_name as user', 'quota'])
    .orderBy('org')
    .orderBy('user_name')
    .execute();
  const own = await db
    .selectFrom('clusters')
    .select(['presets', 'scheduling'])
    .where('name', '=', cluster)
    .executeTakeFirst();
  const presets = (own?.presets ?? []).map((preset) => ({
    name: preset.name,
    resources: { cpu: preset.cpu, memory: preset.memory, extended: extendedResources(preset), shm: true },
    pools: preset.pools,
    preemptible: preset.preemptible,
  }));
  return {
    minRunSeconds: own?.scheduling.minRunSeconds ?? 0,
    presets,
    organizations,
    projects,
    members: members.filter(({ share }) => !isDeepStrictEqual(share, PLAIN_SHARE)),
    people,
  };
}

/** When the cluster's agent last spoke. */
export async function loadAgentSeen(db: Db, cluster: string): Promise<Date | null> {
  const row = await db.selectFrom('clusters').select('last_seen_at').where('name', '=', cluster).executeTakeFirst();
  return row?.last_seen_at ?? null;
}
