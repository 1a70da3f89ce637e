import { LIVE_STATUSES, type PodObservation, type UnwantedEnd } from '@delos/core';
import { sql } from 'kysely';
import { followRun } from './credits/runs.ts';
import { jobMoved } from './disks-state.ts';
import { nextState } from './job-machine.ts';
import type { JobEvent, JobState } from './job-state.ts';
import { JOB_CHANGED } from './notifications.ts';
import type { JobRow, Tx } from './schema.ts';

/**
 * Every change of a job's state passes here: the row is locked, the machine asked, and row, transition and
 * notification are written in the caller's transaction.
 * @param cluster whose agent says so: a job of another one is none. @default any
 */
export async function applyEvent(tx: Tx, id: string, event: JobEvent, cluster?: string): Promise<JobRow | undefined> {
  const row = await tx
    .selectFrom('jobs')
    .selectAll()
    .where('id', '=', id)
    .$if(cluster !== undefined, (query) => query.where('cluster', '=', cluster ?? ''))
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const before = stateOf(row);
  const after = nextState(before, event, new Date());
  if (after === undefined) return row;
  const moved = after.phase !== before.phase;
  const updated = await tx
    .updateTable('jobs')
    .set({
      phase: after.phase,
      status: after.status,
      reason: after.reason,
      status_description: after.description,
      exit_code: after.exitCode,
      restarts: after.restarts,
      run: after.run,
      first_attempt: after.firstAttempt,
      past_pods: [...after.pastPods],
      ran_seconds: after.ranSeconds,
      pool: after.pool,
      planned_node: after.plannedNode,
      pod_uid: after.podUid,
      pod_ip: after.podIp,
      node: after.node,
      stand_in: after.standIn,
      pull_failing_since: after.pullFailingSince,
      refusals: after.refusals,
      retry_at: after.retryAt,
      logs_complete: after.logsComplete,
      first_started_at: after.firstStartedAt,
      admitted_at: after.admittedAt,
      started_at: after.startedAt,
      finished_at: after.finishedAt,
      ...(moved ? { phase_at: new Date(), revision: row.revision + 1 } : {}),
    })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow();
  if (after.status !== before.status || after.reason !== before.reason || after.restarts !== before.restarts) {
    await recordTransition(tx, updated);
  }
  if (moved && updated.spec.disks !== undefined) await jobMoved(tx, { id, gone: updated.phase === 'gone' });
  await followRun(tx, id, before, after, event);
  await notifyJobChanged(tx, updated);
  return updated;
}

/** Writes the status as it is now to the job's history. */
export async function recordTransition(tx: Tx, row: JobRow): Promise<void> {
  await sql`
    insert into job_transitions (job, seq, status, reason, description, exit_code, at)
    select ${row.id}, coalesce(max(seq), 0) + 1, ${row.status}, ${row.reason}, ${row.status_description},
           ${row.exit_code}, clock_timestamp()
    from job_transitions where job = ${row.id}`.execute(tx);
}

export async function notifyJobChanged(tx: Tx, row: Pick<JobRow, 'id' | 'phase' | 'cluster'>): Promise<void> {
  const payload = JSON.stringify({ id: row.id, cluster: row.cluster, phase: row.phase });
  await sql`select pg_notify(${JOB_CHANGED}, ${payload})`.execute(tx);
}

/** What the agent saw of a job's Pod. Late, repeated and foreign observations change nothing. */
export async function recordObservation(
  tx: Tx,
  id: string,
  observation: PodObservation,
  cluster?: string,
): Promise<JobRow | undefined> {
  return applyEvent(tx, id, { type: 'observe', observation }, cluster);
}

/**
 * The log of an ended job is sealed, whole or (its node being lost) not: the Pod may go.
 * Before the end is recorded this changes nothing; ask again when the phase is `ended`.
 */
export async function sealLogs(tx: Tx, id: string, complete: boolean): Promise<JobRow | undefined> {
  return applyEvent(tx, id, { type: 'seal', complete });
}

/** The agent has removed a run's Pod, or found none, after a `remove`: the job is gone, or queued again. */
export async function podRemoved(
  tx: Tx,
  id: string,
  pod: { readonly run: number; readonly podUid: string },
  cluster?: string,
): Promise<JobRow | undefined> {
  return applyEvent(tx, id, { type: 'removed', ...pod }, cluster);
}

/** Preempts a run: its container is ended, its Pod removed, then the job waits for its next run. */
export async function preemptJob(
  tx: Tx,
  id: string,
  of: { readonly run: number; readonly description: string },
): Promise<JobRow | undefined> {
  return applyEvent(tx, id, { type: 'preempt', ...of });
}

/** Ends a job: at once where it is queued, else by way of its container. An ended job is left as it is. */
export async function stopJob(
  tx: Tx,
  id: string,
  end: { readonly status: UnwantedEnd; readonly reason: string; readonly description: string },
): Promise<JobRow | undefined> {
  return applyEvent(tx, id, { type: 'stop', ...end });
}

/**
 * Gives a job more time; one without a limit keeps none.
 * @returns false where it has ended
 */
export async function extendLifeSpan(tx: Tx, id: string, minutes: number): Promise<boolean> {
  const row = await tx
    .updateTable('jobs')
    .set((eb) => ({ max_run_time_minutes: eb('max_run_time_minutes', '+', minutes) }))
    .where('id', '=', id)
    .where('status', 'in', LIVE_STATUSES)
    .returning(['id', 'phase', 'cluster'])
    .executeTakeFirst();
  if (row !== undefined) await notifyJobChanged(tx, row);
  return row !== undefined;
}

export interface WaitingJob {
  readonly id: string;
  readonly reason: string;
  readonly description: string;
}

/**
 * Writes why queued jobs wait, all at once; history gets a line where the reason is another one. Nobody is notified:
 * it is read by polling alone, and ten thousand such changes shall wake nobody.
 */
export async function recordWaiting(tx: Tx, jobs: readonly WaitingJob[]): Promise<void> {
  if (jobs.length === 0) return;
  await sql`
    with given as (
      select * from unnest(${jobs.map((job) => job.id)}::text[], ${jobs.map((job) => job.reason)}::text[],
        ${jobs.map((job) => job.description)}::text[]) as g (id, reason, description)
    ), old as (
      select jobs.id, jobs.reason from jobs join given using (id) where jobs.phase = 'queued' for update of jobs
    ), written as (
      update jobs set reason = given.reason, status_description = given.description
      from given join old using (id) where jobs.id = given.id
      returning jobs.id, jobs.status, given.reason, given.description, old.reason as old_reason
    )
    insert into job_transitions (job, seq, status, reason, description, at)
    select id, (select coalesce(max(seq), 0) + 1 from job_transitions where job = written.id), status, reason,
           description, clock_timestamp()
    from written where old_reason is distinct from reason`.execute(tx);
}

function stateOf(row: JobRow): JobState {
  return {
    phase: row.phase,
    status: row.status,
    reason: row.reason,
    description: row.status_description,
    exitCode: row.exit_code,
    restarts: row.restarts,
    preemptible: row.preemptible,
    comesBack: row.preemptible || row.spec.restartPolicy !== 'never',
    run: row.run,
    firstAttempt: row.first_attempt,
    pastPods: row.past_pods,
    ranSeconds: row.ran_seconds,
    pool: row.pool,
    plannedNode: row.planned_node,
    podUid: row.pod_uid,
    podIp: row.pod_ip,
    node: row.node,
    standIn: row.stand_in,
    pullFailingSince: row.pull_failing_since,
    refusals: row.refusals,
    retryAt: row.retry_at,
    logsComplete: row.logs_complete,
    createdAt: row.created_at,
    firstStartedAt: row.first_started_at,
    admittedAt: row.admitted_at,
    startedAt: row.started_at,
    finishedAt: row.finished_at,
  };
}
