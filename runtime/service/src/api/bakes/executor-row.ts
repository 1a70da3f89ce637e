import { gzipSync } from 'node:zlib';
import { DelosError } from '@delos/core';
import type { BakeResult } from '@delos/engine';
import { sql } from 'kysely';
import { changeAttempt } from '../../db/flow/attempts.ts';
import { holdBake } from '../../db/flow/bakes.ts';
import { notifyJobChanged, recordTransition } from '../../db/jobs-state.ts';
import type { JobRow, Tx } from '../../db/schema.ts';
import type { ApiDeps } from '../deps.ts';

/*
 * The job that `apolo-flow bake` submits to have its bake carried out is a row without a Pod, of phase `gone` from its
 * beginning: no scheduler and no agent looks at it, and nothing is charged for it. It runs as long as the bake does, and its
 * log tells what becomes of the tasks.
 */

/** The job that stands for the engine. */
export interface Executor {
  readonly id: string;
  /** Whose jobs it makes. */
  readonly user: number;
  /** The header's value by which folders of files are made for them. */
  authorization(): Promise<string | undefined>;
}

const keyOf = ({ id }: Pick<Executor, 'id'>) => ({ jobId: id, podUid: `bake-${id}`, attempt: 0 });

/** Makes a job that was just written stand for the engine, and gives it the bake's last attempt. @throws DelosError ERR_CONFLICT */
export async function becomeExecutor(tx: Tx, job: JobRow, bake: string): Promise<JobRow> {
  await holdBake(tx, bake);
  const attempt = await tx
    .selectFrom('flow_attempts')
    .selectAll()
    .where('bake', '=', bake)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (attempt === undefined || attempt.executor_id !== null || attempt.engine || !isOpen(attempt.result)) {
    throw new DelosError('ERR_CONFLICT', `bake ${bake} has no attempt that waits for somebody to carry it out`, {
      hint: `apolo-flow restart ${bake} makes one`,
    });
  }
  await tx
    .updateTable('flow_attempts')
    .set({ engine: true, executor_id: job.id })
    .where('id', '=', attempt.id)
    .execute();
  const now = new Date();
  const row = await tx
    .updateTable('jobs')
    .set({
      phase: 'gone',
      status: 'running',
      reason: null,
      status_description: `the platform carries out ${bake}`,
      credits_per_hour: '0',
      carries: bake,
      ...{ first_started_at: now, started_at: now, phase_at: now, revision: job.revision + 1 },
    })
    .where('id', '=', job.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const { jobId, podUid } = keyOf(job);
  await sql`insert into log_streams (job, attempt, pod_uid, pod_attempt) values (${jobId}, 0, ${podUid}, 0)`.execute(
    tx,
  );
  await recordTransition(tx, row);
  await notifyJobChanged(tx, row);
  await changeAttempt(tx, attempt, { result: 'running' });
  return row;
}

const isOpen = (result: string): boolean => result === 'pending' || result === 'running';

/** What a kill of the job asks for: its bake is cancelled. @returns false where it stands for no bake */
export async function cancelBakeOf(tx: Tx, { id, carries }: Pick<JobRow, 'id' | 'carries'>): Promise<boolean> {
  if (carries === null) return false;
  const attempt = await tx
    .selectFrom('flow_attempts')
    .select(['id', 'bake'])
    .where('bake', '=', carries)
    .where('executor_id', '=', id)
    .executeTakeFirst();
  if (attempt !== undefined) await changeAttempt(tx, attempt, { result: 'cancelled' });
  return true;
}

const EXIT = { succeeded: 0, failed: 1, cancelled: 130 } as const;

/** The attempt and its job have ended, for good. */
export async function endExecutor(
  tx: Tx,
  attempt: string,
  { id }: Pick<Executor, 'id'>,
  result: BakeResult,
  why?: string,
): Promise<void> {
  await tx.updateTable('flow_attempts').set({ settled_at: new Date() }).where('id', '=', attempt).execute();
  const row = await tx
    .updateTable('jobs')
    .set({
      status: result,
      reason: why === undefined ? null : 'BakeFailed',
      status_description: why?.slice(0, 1000) ?? `the bake has ${result === 'cancelled' ? 'been cancelled' : result}`,
      exit_code: EXIT[result],
      finished_at: new Date(),
      logs_complete: true,
    })
    .where('id', '=', id)
    .where('status', '=', 'running')
    .returningAll()
    .executeTakeFirst();
  if (row === undefined) return;
  await recordTransition(tx, row);
  await notifyJobChanged(tx, row);
}

/** Lines of the job's log. They tell what is written already: a line that is lost with its process is no loss. */
export async function tellExecutor(
  { logs }: Pick<ApiDeps, 'logs'>,
  executor: Pick<Executor, 'id'>,
  lines: readonly string[],
  last: boolean,
): Promise<void> {
  const key = keyOf(executor);
  const place = await logs.position(key);
  if (place === undefined || place.final) return;
  const time = new Date().toISOString();
  const parts = lines.flatMap((line) => line.split('\n')).map((line) => `${time} stdout F ${line.slice(0, 8000)}\n`);
  const text = Buffer.from(parts.join(''));
  let { length: offset } = place;
  if (text.length > 0) {
    await logs.append(key, { offset, length: text.length, gzip: gzipSync(text), cursor: null });
    offset += text.length;
  }
  if (last) await logs.finish(key, { offset, complete: true });
}
