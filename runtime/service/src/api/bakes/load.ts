import type { Preset } from '@delos/core';
import type { BakeImage, BatchTask, TaskRecord } from '@delos/engine';
import type { Home } from '@delos/flow';
import { sql } from 'kysely';
import type { ConfigsMeta, FlowBakeRow, FlowTaskRow } from '../../db/flow/tables.ts';
import type { Db } from '../../db/schema.ts';
import { jobToken } from '../../db/secrets/job-tokens.ts';
import type { ApiDeps } from '../deps.ts';
import type { Executor } from './executor-row.ts';
import { flowTasks } from './flow-tasks.ts';
import { readImages } from './image-rows.ts';
import type { AttemptOf } from './write-turn.ts';

/** All that carrying an attempt out needs. */
export interface LoadedBake {
  readonly attempt: AttemptOf;
  /** The number of this taking over: whoever had it before writes nothing more. */
  readonly turn: number;
  readonly home: Home & { readonly place: { readonly org: string } };
  readonly executor: Executor;
  /** Of tasks that name none. */
  readonly preset: string | undefined;
  /** Of its cluster. */
  readonly presets: readonly Preset[];
  readonly tasks: readonly BatchTask[];
  readonly records: readonly TaskRecord[];
  readonly images: readonly BakeImage[];
  readonly cancelled: boolean;
  readonly deadline: number | undefined;
}

/** Takes an attempt over. @returns why it cannot be carried out, or undefined where there is nothing to do */
export async function loadBake(
  { database, settings }: ApiDeps,
  id: string,
): Promise<LoadedBake | { readonly why: string; readonly of: Pick<LoadedBake, 'attempt' | 'executor'> } | undefined> {
  const { db } = database;
  const taken = await db
    .updateTable('flow_attempts')
    .set((eb) => ({ engine_turn: eb('engine_turn', '+', 1) }))
    .where('id', '=', id)
    .where('engine', '=', true)
    .where('settled_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  if (taken?.executor_id == null) return undefined;
  const bake = await db
    .selectFrom('flow_bakes')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_bakes')
    .select(['flow_projects.org', 'flow_projects.project', 'flow_projects.cluster'])
    .where('flow_bakes.id', '=', taken.bake)
    .executeTakeFirst();
  const job = await db.selectFrom('jobs').selectAll().where('id', '=', taken.executor_id).executeTakeFirst();
  if (bake === undefined || job === undefined) return undefined;
  const attempt = { id, bake: bake.id, number: taken.number, flow: bake.flow, batch: bake.batch };
  const user = await db
    .selectFrom('users')
    .select('id')
    .where('name', '=', job.owner)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  const executor: Executor = {
    id: job.id,
    // Who was removed may make no jobs: nobody has this id.
    user: user?.id ?? -1,
    authorization: async () => {
      const token = settings.secretsKey === undefined ? undefined : await jobToken(db, settings.secretsKey, job.id);
      return token === undefined ? undefined : `Bearer ${token}`;
    },
  };
  const { read, home } = await readTasks(db, { bake, configs: taken.configs_meta, user: job.owner });
  if ('why' in read) return { why: read.why, of: { attempt, executor } };
  const rows = await db.selectFrom('flow_tasks').selectAll().where('attempt', '=', id).orderBy(sql`seq`).execute();
  const cluster = await db.selectFrom('clusters').select('presets').where('name', '=', bake.cluster).executeTakeFirst();
  const minutes = job.max_run_time_minutes;
  return {
    attempt,
    turn: taken.engine_turn,
    home,
    executor,
    preset: cluster?.presets[0]?.name,
    presets: cluster?.presets ?? [],
    tasks: read.tasks,
    records: rows.map(recordOf),
    images: await readImages(db, settings, bake.id, read.images),
    cancelled: taken.result === 'cancelled',
    deadline: minutes === null ? undefined : job.created_at.getTime() + minutes * 60_000,
  };
}

/** A row of a task as the engine has it. */
export const recordOf = (row: FlowTaskRow): TaskRecord => ({
  task: row.yaml_id,
  statuses: row.statuses.map(({ status, created_at: at }) => ({ status: status as 'pending', at: Date.parse(at) })),
  jobId: row.raw_id,
  outputs: row.outputs,
  state: row.state,
});

/** The tasks of a bake that is there, or why its files cannot be read. */
export async function readTasks(
  db: Db,
  {
    bake,
    configs,
    user,
  }: {
    readonly bake: Pick<FlowBakeRow, 'id' | 'batch' | 'params' | 'meta'> & BakePlaced;
    readonly configs: ConfigsMeta;
    readonly user: string;
  },
): Promise<{ readonly read: ReturnType<typeof flowTasks>; readonly home: LoadedBake['home'] }> {
  const files = await db
    .selectFrom('flow_config_files')
    .select(['id', 'filename', 'content'])
    .where('bake', '=', bake.id)
    .execute();
  const place = { cluster: bake.cluster, org: bake.org, project: bake.project, user };
  const home = { place, project: bake.project };
  const { params, meta, batch } = bake;
  const source = { batch, params, meta, configs, home };
  return { home, read: flowTasks({ ...source, files: new Map(files.map((file) => [file.id, file])) }) };
}

/** Where the flow of a bake belongs. */
export interface BakePlaced {
  readonly org: string;
  readonly project: string;
  readonly cluster: string;
}
