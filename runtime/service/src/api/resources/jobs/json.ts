import { GPU_FIELDS, GPU_KINDS, TERMINAL } from '@delos/core';
import type { TransitionRow } from '../../../db/schema.ts';
import { httpOf, type JobNames, jobUrls } from './job-urls.ts';
import type { ShownJob } from './shown.ts';

const PRIORITY_NAMES: Readonly<Record<number, string>> = { [-1]: 'low', 0: 'normal', 1: 'high' };

/**
 * A job as the official client reads it. Where null would break the client, the key is left out.
 * @param growing what stands in place of what grows while the job runs, its run time and then its credits. @default as they are now
 */
export function jobJson(
  row: ShownJob,
  transitions: readonly TransitionRow[],
  names: JobNames,
  growing?: string,
): Record<string, unknown> {
  const seconds = runTimeSeconds(row);
  const mark = isRunning(row) ? growing : undefined;
  const request = row.request;
  return {
    id: row.id,
    owner: row.owner,
    cluster_name: row.cluster,
    org_name: row.org,
    project_name: row.project,
    namespace: row.spec.namespace,
    ...optional('name', row.name),
    ...optional('description', row.description),
    tags: row.tags,
    ...optional('preset_name', row.preset === '' ? null : row.preset),
    uri: `job://${row.cluster}/${row.org}/${row.project}/${row.id}`,
    status: row.status,
    history: history(row, mark ?? seconds, names),
    ...jobUrls(row, names),
    statuses: transitions.map((transition) => ({
      status: transition.status,
      transition_time: transition.at.toISOString(),
      reason: transition.reason ?? (transition.status === 'running' ? standInReason(row) : null),
      description: transition.description,
      exit_code: transition.exit_code,
    })),
    container: { ...request, env: request.env ?? {}, volumes: request.volumes ?? [], resources: resources(row) },
    scheduler_enabled: row.preemptible,
    preemptible_node: row.preemptible,
    pass_config: (row.spec.secrets ?? []).some(({ passedConfig }) => passedConfig === true),
    privileged: row.spec.security === 'privileged',
    restart_policy: row.spec.restartPolicy,
    priority: PRIORITY_NAMES[row.priority] ?? 'normal',
    ...optional('max_run_time_minutes', row.max_run_time_minutes),
    ...optional('schedule_timeout', row.schedule_timeout),
    price_credits_per_hour: Number(row.credits_per_hour).toFixed(4),
    total_price_credits: mark ?? totalCredits(row, seconds),
    materialized: row.phase !== 'queued' && row.phase !== 'gone',
    being_dropped: false,
    logs_removed: row.logs_removed,
  };
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === null || value === undefined ? {} : { [key]: value };
}

/*
 * Notes of the platform to the user stand beside the job's state, and never in `description`. The description is the
 * user's own text: jobs are found by it and run again with it. The client shows reasons in `status`, and reasons with
 * descriptions in `run`.
 */

function standInReason(row: ShownJob): string | null {
  return row.stand_in === null ? null : `stand-in image: ${row.stand_in}`;
}

function notesOf(row: ShownJob, names: JobNames): readonly string[] {
  const standIn = row.stand_in === null ? [] : [`image ${row.spec.image} is answered by a stand-in: ${row.stand_in}`];
  const http = httpAskedFor(row);
  if (http === undefined || TERMINAL.has(row.status) || jobUrls(row, names).http_url !== undefined) return standIn;
  const why =
    row.cluster === names.cluster
      ? 'since jobs of this platform have no addresses'
      : `since jobs of cluster ${row.cluster} have no addresses`;
  return [...standIn, `port ${http} gets no URL, ${why}: apolo port-forward reaches it`];
}

/** The port, where the user has asked for it: the client asks for port 80 with login in every job. */
function httpAskedFor(row: ShownJob): number | undefined {
  const http = httpOf(row.request);
  return http === undefined || (http.port === 80 && http.login) ? undefined : http.port;
}

function history(row: ShownJob, seconds: number | string, names: JobNames): Record<string, unknown> {
  // The client asserts a start time of all that ended, even of what was killed before it ran.
  const finished = TERMINAL.has(row.status) ? row.finished_at : null;
  const started = row.first_started_at ?? finished;
  return {
    status: row.status,
    reason: row.reason ?? (row.status === 'running' ? standInReason(row) : null),
    description: [row.status_description ?? [], notesOf(row, names)].flat(2).join('; ') || null,
    restarts: row.restarts,
    created_at: row.created_at.toISOString(),
    ...optional('started_at', started?.toISOString()),
    ...optional('finished_at', finished?.toISOString()),
    run_time_seconds: seconds,
    exit_code: row.exit_code,
  };
}

/** Whether its run time grows. */
export function isRunning(row: Pick<ShownJob, 'started_at' | 'finished_at'>): boolean {
  return row.started_at !== null && row.finished_at === null;
}

/** Of all runs: a preempted job does not pay for its waiting. */
export function runTimeSeconds(row: Pick<ShownJob, 'started_at' | 'finished_at' | 'ran_seconds'>): number {
  if (row.started_at === null) return row.ran_seconds;
  const end = row.finished_at ?? new Date();
  return row.ran_seconds + Math.max(0, (end.getTime() - row.started_at.getTime()) / 1000);
}

export function totalCredits(row: Pick<ShownJob, 'credits_per_hour'>, seconds: number): string {
  return ((Number(row.credits_per_hour) * seconds) / 3600).toFixed(4);
}

function resources(row: ShownJob): Record<string, unknown> {
  const { cpu, memory, extended, shm } = row.spec.resources;
  const devices = GPU_FIELDS.flatMap((field) => {
    const count = extended[GPU_KINDS[field].resource];
    return count === undefined ? [] : [[GPU_KINDS[field].wire, count] as const];
  });
  return { cpu, memory, shm, ...Object.fromEntries(devices) };
}
