import type { BakeSubmission, StorageWatch } from '@delos/core';
import type { ColumnType, Generated, Selectable } from 'kysely';

/* Schedules, as kysely sees them. Their columns are told in migrations/0071_flow_schedules.sql and 0110_flow_watches.sql. */

export interface FlowScheduleTable {
  readonly id: string;
  readonly org: string;
  readonly project: string;
  readonly name: string;
  readonly owner: number;
  readonly cron: string | null;
  readonly time_zone: string;
  readonly missed: 'skip' | 'once' | 'all';
  readonly overlap: boolean;
  readonly bake: ColumnType<BakeSubmission, string, string>;
  readonly after_at: Generated<Date>;
  readonly next_at: Date | null;
  readonly sealed: Buffer | null;
  readonly wrapped_key: Buffer | null;
  readonly key_id: string | null;
  readonly created_at: Generated<Date>;
  readonly storage: ColumnType<StorageWatch | null, string | null, string | null>;
}

export interface FlowWatchTable {
  readonly schedule: string;
  readonly turn: Generated<number>;
  readonly next_at: Generated<Date>;
  readonly looked_at: Date | null;
  readonly seen: ColumnType<Readonly<Record<string, readonly [number, number]>> | null, string | null, string | null>;
  readonly last: string | null;
  readonly since: Generated<Date>;
  readonly problem: string | null;
}

export interface FlowScheduleRunTable {
  readonly seq: Generated<number>;
  readonly schedule: string;
  readonly at: Date;
  readonly cause: 'time' | 'trigger' | 'person' | 'storage';
  readonly call: string | null;
  readonly outcome: 'baked' | 'skipped' | 'refused';
  readonly bake: string | null;
  readonly why: string | null;
}

export interface ScheduleSchema {
  readonly flow_schedules: FlowScheduleTable;
  readonly flow_schedule_runs: FlowScheduleRunTable;
  readonly flow_watches: FlowWatchTable;
}

export type FlowScheduleRow = Selectable<FlowScheduleTable>;
export type FlowScheduleRunRow = Selectable<FlowScheduleRunTable>;
