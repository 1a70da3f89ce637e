import type { BakeSubmission } from '@delos/core';
import type { ColumnType, Generated, Selectable } from 'kysely';

/* Schedules, as kysely sees them. Their columns are told in migrations/0071_flow_schedules.sql. */

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
}

export interface FlowScheduleRunTable {
  readonly seq: Generated<number>;
  readonly schedule: string;
  readonly at: Date;
  readonly cause: 'time' | 'trigger' | 'person';
  readonly call: string | null;
  readonly outcome: 'baked' | 'skipped' | 'refused';
  readonly bake: string | null;
  readonly why: string | null;
}

export interface ScheduleSchema {
  readonly flow_schedules: FlowScheduleTable;
  readonly flow_schedule_runs: FlowScheduleRunTable;
}

export type FlowScheduleRow = Selectable<FlowScheduleTable>;
export type FlowScheduleRunRow = Selectable<FlowScheduleRunTable>;
