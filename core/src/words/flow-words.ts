import { z } from 'zod';

/* Words of flows, as apolo-flow says them. */

/** What becomes of a task. An attempt never has the last two, nor `unknown`. */
export const FLOW_TASK_STATUSES = [
  'unknown',
  'pending',
  'running',
  'succeeded',
  'failed',
  'cancelled',
  'skipped',
  'cached',
] as const;
export const flowTaskStatus = z.enum(FLOW_TASK_STATUSES);
export type FlowTaskStatus = z.infer<typeof flowTaskStatus>;

/** An attempt that has not ended. */
export const FLOW_OPEN_STATUSES = ['pending', 'running'] as const;
/** What becomes of an attempt, and so of a bake. */
export const FLOW_ATTEMPT_STATUSES = [...FLOW_OPEN_STATUSES, 'succeeded', 'failed', 'cancelled'] as const;
export const flowAttemptStatus = z.enum(FLOW_ATTEMPT_STATUSES);
export type FlowAttemptStatus = z.infer<typeof flowAttemptStatus>;

/** What becomes of an image that a bake builds. */
export const FLOW_IMAGE_STATUSES = ['pending', 'building', 'built', 'build_failed', 'cached'] as const;
export const flowImageStatus = z.enum(FLOW_IMAGE_STATUSES);
export type FlowImageStatus = z.infer<typeof flowImageStatus>;

/** It will not change any more: of a task or an attempt. */
export const isFlowEnd = (status: FlowTaskStatus): boolean =>
  status !== 'unknown' && status !== 'pending' && status !== 'running';

/** Where the API of flows is; apolo-flow joins it to the API's address. */
export const FLOW_PATH = '/api/v1/flow';

/** Most bytes of what one request about flows carries. The client reads lines of a list up to 4 MiB, and a bake is one. */
export const MAX_FLOW_BODY_BYTES = 3 * 2 ** 20;

/** Most bytes of one file of a flow: a larger one is refused wherever Delos reads it. */
export const MAX_FLOW_FILE_BYTES = 2 ** 20;
