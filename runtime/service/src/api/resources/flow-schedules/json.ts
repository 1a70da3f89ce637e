import type { ScheduleRun, ShownSchedule, StorageWatch } from '@delos/core';
import { sql } from 'kysely';
import type { FlowScheduleRow, FlowScheduleRunRow } from '../../../db/flow/schedule-tables.ts';
import type { Db } from '../../../db/schema.ts';
import type { ApiDeps, Caller } from '../../deps.ts';
import { ofProjects } from '../../lists/of-projects.ts';

const LAST_RUNS = 5;
const MOST = 1_000;

/** All that the caller may see, by project and name. */
export async function listSchedules(
  deps: ApiDeps,
  caller: Caller,
  query: {
    readonly org_name?: string | undefined;
    readonly project_name?: string | undefined;
    readonly name?: string | undefined;
  },
): Promise<readonly ShownSchedule[]> {
  const rows = await deps.database.db
    .selectFrom('flow_schedules')
    .selectAll()
    .$if(!caller.admin, (select) => select.where(ofProjects(caller)))
    .$if(query.org_name !== undefined, (select) => select.where('org', '=', query.org_name ?? ''))
    .$if(query.project_name !== undefined, (select) => select.where('project', '=', query.project_name ?? ''))
    .$if(query.name !== undefined, (select) => select.where('name', '=', query.name ?? ''))
    .orderBy('org')
    .orderBy('project')
    .orderBy('name')
    .limit(MOST)
    .execute();
  return Promise.all(rows.map((row) => showSchedule(deps, row)));
}

export async function showSchedule({ database, settings }: ApiDeps, row: FlowScheduleRow): Promise<ShownSchedule> {
  const { db } = database;
  const runs = await db
    .selectFrom('flow_schedule_runs')
    .selectAll()
    .where('schedule', '=', row.id)
    .orderBy(sql`seq desc`)
    .limit(LAST_RUNS)
    .execute();
  const storage = row.storage === null ? null : await shownStorage(db, row.id, row.storage);
  const owner = await db.selectFrom('users').select('name').where('id', '=', row.owner).executeTakeFirst();
  return {
    id: row.id,
    name: row.name,
    org_name: row.org,
    project_name: row.project,
    owner: owner?.name ?? '',
    flow: row.bake.flow,
    batch: row.bake.batch,
    cron: row.cron,
    time_zone: row.time_zone,
    missed: row.missed,
    overlap: row.overlap,
    trigger_url: row.key_id === null ? null : `${settings.publicUrl}/api/v1/flow/triggers/${row.id}`,
    storage,
    next_at: row.next_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    runs: runs.map(runJson),
  };
}

async function shownStorage(db: Db, schedule: string, storage: StorageWatch): Promise<ShownSchedule['storage']> {
  const { rows } = await sql<{ looked_at: Date | null; problem: string | null; files: number }>`
    select looked_at, problem, coalesce((select count(*) from jsonb_object_keys(seen)), 0)::int as files
    from flow_watches where schedule = ${schedule}`.execute(db);
  const [watch] = rows;
  return {
    ...storage,
    looked_at: watch?.looked_at?.toISOString() ?? null,
    files: watch?.files ?? 0,
    problem: watch?.problem ?? null,
  };
}

const runJson = ({ at, cause, outcome, bake, why }: FlowScheduleRunRow): ScheduleRun => ({
  at: at.toISOString(),
  cause,
  outcome,
  bake,
  why,
});
