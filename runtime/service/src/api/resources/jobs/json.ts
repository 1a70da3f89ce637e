import type { JobRow, TransitionRow } from '../../../db/schema.ts';
import { GPU_FIELDS, GPU_RESOURCES, GPU_WIRE } from '../../../preset-resources.ts';

const PRIORITY_NAMES: Readonly<Record<number, string>> = { [-1]: 'low', 0: 'normal', 1: 'high' };
const FINISHED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

/** A job as the official client reads it. Where null would break the client, the key is left out. */
export function jobJson(row: JobRow, transitions: readonly TransitionRow[]): Record<string, unknown> {
  const seconds = runTimeSeconds(row);
  const perHour = Number(row.credits_per_hour);
  const request = row.request;
  return {
    id: row.id,
    owner: row.owner,
    cluster_name: row.cluster,
    org_name: row.org,
    project_name: row.project,
    namespace: row.spec.namespace,
    ...optional('name', row.name),
    ...optional('description', descriptionOf(row)),
    tags: row.tags,
    ...optional('preset_name', row.preset === '' ? null : row.preset),
    uri: `job://${row.cluster}/${row.org}/${row.project}/${row.id}`,
    status: row.status,
    history: history(row, seconds),
    statuses: transitions.map((transition) => ({
      status: transition.status,
      transition_time: transition.at.toISOString(),
      reason: transition.reason,
      description: transition.description,
      exit_code: transition.exit_code,
    })),
    container: { ...request, env: request.env ?? {}, volumes: [], resources: resources(row) },
    scheduler_enabled: row.preemptible,
    preemptible_node: row.preemptible,
    pass_config: false,
    privileged: row.spec.security === 'privileged',
    restart_policy: row.spec.restartPolicy,
    priority: PRIORITY_NAMES[row.priority] ?? 'normal',
    ...optional('max_run_time_minutes', row.max_run_time_minutes),
    ...optional('schedule_timeout', row.schedule_timeout),
    price_credits_per_hour: perHour.toFixed(4),
    total_price_credits: ((perHour * seconds) / 3600).toFixed(4),
    materialized: row.phase !== 'queued' && row.phase !== 'gone',
    being_dropped: false,
    logs_removed: false,
  };
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}

/** Who runs on a stand-in is told so wherever the job is shown. The client takes what is in square brackets for markup. */
function descriptionOf(row: JobRow): string | null {
  if (row.stand_in === null) return row.description;
  const note = `image ${row.spec.image} answered by a stand-in: ${row.stand_in}`;
  return row.description === null ? note : `${row.description} (${note})`;
}

function history(row: JobRow, seconds: number): Record<string, unknown> {
  // The client asserts a start time of all that ended, even of what was killed before it ran.
  const finished = FINISHED.has(row.status) ? row.finished_at : null;
  const started = row.first_started_at ?? finished;
  return {
    status: row.status,
    reason: row.reason,
    description: row.status_description,
    restarts: row.restarts,
    created_at: row.created_at.toISOString(),
    ...optional('started_at', started?.toISOString()),
    ...optional('finished_at', finished?.toISOString()),
    run_time_seconds: seconds,
    exit_code: row.exit_code,
  };
}

/** Of all runs: a job that gave way to others does not pay for its waiting. */
function runTimeSeconds(row: JobRow): number {
  if (row.started_at === null) return row.ran_seconds;
  const end = row.finished_at ?? new Date();
  return row.ran_seconds + Math.max(0, (end.getTime() - row.started_at.getTime()) / 1000);
}

function resources(row: JobRow): Record<string, unknown> {
  const { cpu, memory, extended, shm } = row.spec.resources;
  const devices = GPU_FIELDS.flatMap((field) => {
    const count = extended[GPU_RESOURCES[field]];
    return count === undefined ? [] : [[GPU_WIRE[field], count] as const];
  });
  return { cpu, memory, shm, ...Object.fromEntries(devices) };
}
