import type { FlowAttemptStatus, FlowImageStatus, FlowTaskStatus, TaskLineage } from '@delos/core';
import type { ColumnType, Generated, Selectable } from 'kysely';
import type { ScheduleSchema } from './schedule-tables.ts';

/* The tables of flows, as kysely sees them. Their columns are told in migrations/0040_flow.sql, and after. */

type Json<T> = ColumnType<T, string, string>;
type Lineage = ColumnType<TaskLineage | null, string | null | undefined, string | null>;
export type Texts = Readonly<Record<string, string>>;
export type Graphs = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

export interface BakeMeta {
  readonly git_info: { readonly sha: string; readonly branch: string; readonly tags: readonly string[] } | null;
}

/** Where an attempt's configuration is: ids of configuration files. */
export interface ConfigsMeta {
  readonly workspace: string;
  readonly flow_config_id: string;
  readonly project_config_id: string | null;
  /** By the action's reference as it is written. */
  readonly action_config_ids: Texts;
}

export interface TaskStatusItem {
  /** ISO 8601 with an offset, as it was told. */
  readonly created_at: string;
  readonly status: FlowTaskStatus;
}

export interface FlowProjectTable {
  readonly id: string;
  readonly cluster: string;
  readonly org: string;
  readonly project: string;
  readonly name: string;
  readonly owner: string;
  readonly cache_entries: Generated<number>;
  readonly cache_bytes: Generated<number>;
  readonly created_at: Generated<Date>;
}

export interface FlowLiveJobTable {
  readonly id: string;
  readonly flow: string;
  readonly yaml_id: string;
  readonly multi: boolean;
  readonly tags: Generated<string[]>;
  readonly raw_id: string | null;
}

export interface FlowBakeTable {
  readonly id: string;
  readonly flow: string;
  readonly batch: string;
  readonly name: string | null;
  readonly owner: string;
  readonly tags: Generated<string[]>;
  readonly params: Json<Texts>;
  readonly graphs: Json<Graphs>;
  readonly meta: Json<BakeMeta>;
  readonly status: Generated<FlowAttemptStatus>;
  readonly bytes: Generated<number>;
  /** What made it; null: a person. */
  readonly schedule: string | null;
  readonly notify: Generated<string[]>;
  readonly created_at: Generated<Date>;
}

export interface FlowAttemptTable {
  readonly id: string;
  readonly bake: string;
  readonly number: number;
  readonly result: Generated<FlowAttemptStatus>;
  readonly executor_id: string | null;
  readonly engine: Generated<boolean>;
  readonly engine_turn: Generated<number>;
  readonly settled_at: Date | null;
  readonly configs_meta: Json<ConfigsMeta>;
  readonly tasks: Generated<number>;
  readonly created_at: Generated<Date>;
}

export interface FlowTaskTable {
  readonly id: string;
  readonly seq: Generated<number>;
  readonly attempt: string;
  readonly yaml_id: string;
  readonly raw_id: string | null;
  readonly outputs: ColumnType<Texts | null, string | null, string | null>;
  readonly state: ColumnType<Texts | null, string | null, string | null>;
  readonly statuses: Json<readonly TaskStatusItem[]>;
  /** The last of `statuses`. */
  readonly status: ColumnType<FlowTaskStatus, never, never>;
  readonly lineage: Lineage;
}

export interface FlowCacheEntryTable {
  readonly id: string;
  readonly flow: string;
  readonly batch: string;
  readonly task_id: string;
  readonly key: string;
  readonly outputs: Json<Texts>;
  readonly state: Json<Texts>;
  readonly raw_id: Generated<string>;
  readonly bytes: number;
  readonly lineage: Lineage;
  readonly created_at: Generated<Date>;
}

export interface FlowConfigFileTable {
  readonly id: string;
  readonly bake: string;
  readonly filename: string;
  readonly content: string;
}

export interface FlowBakeImageTable {
  readonly id: string;
  readonly seq: Generated<number>;
  readonly bake: string;
  readonly ref: string;
  readonly yaml_defs: string[];
  readonly status: FlowImageStatus;
  readonly context_on_storage: string | null;
  readonly dockerfile_rel: string | null;
  readonly builder_job_id: string | null;
}

/** What the schema of the database has of flows. */
export interface FlowSchema extends ScheduleSchema {
  readonly flow_projects: FlowProjectTable;
  readonly flow_live_jobs: FlowLiveJobTable;
  readonly flow_bakes: FlowBakeTable;
  readonly flow_attempts: FlowAttemptTable;
  readonly flow_tasks: FlowTaskTable;
  readonly flow_cache_entries: FlowCacheEntryTable;
  readonly flow_config_files: FlowConfigFileTable;
  readonly flow_bake_images: FlowBakeImageTable;
}

export type FlowProjectRow = Selectable<FlowProjectTable>;
export type FlowLiveJobRow = Selectable<FlowLiveJobTable>;
export type FlowBakeRow = Selectable<FlowBakeTable>;
export type FlowAttemptRow = Selectable<FlowAttemptTable>;
export type FlowTaskRow = Selectable<FlowTaskTable>;
export type FlowCacheEntryRow = Selectable<FlowCacheEntryTable>;
export type FlowConfigFileRow = Selectable<FlowConfigFileTable>;
export type FlowBakeImageRow = Selectable<FlowBakeImageTable>;
