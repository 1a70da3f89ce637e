import { flowAttemptStatus } from '@delos/core';
import { z } from 'zod';
import type { FlowAttemptRow } from '../../db/flow/tables.ts';
import { longText, objectId } from './fields.ts';

const MOST_ACTIONS = 1_000;

/** Where an attempt's configuration is. */
export const configsMeta = z.object({
  /** The folder of the flow on the client's machine. */
  workspace: longText,
  flow_config_id: objectId,
  project_config_id: objectId.nullable().default(null),
  action_config_ids: z
    .record(longText, objectId)
    .refine((ids) => Object.keys(ids).length <= MOST_ACTIONS, `expected at most ${MOST_ACTIONS} actions`),
});

export const shownAttempt = z.object({
  id: z.string(),
  bake_id: z.string(),
  number: z.number(),
  created_at: z.string(),
  result: flowAttemptStatus,
  configs_meta: configsMeta,
  executor_id: z.string().nullable(),
});

/** An attempt as the official client reads it. */
export const attemptJson = (row: FlowAttemptRow): z.infer<typeof shownAttempt> => ({
  id: row.id,
  bake_id: row.bake,
  number: row.number,
  created_at: row.created_at.toISOString(),
  result: row.result,
  configs_meta: row.configs_meta,
  executor_id: row.executor_id,
});
