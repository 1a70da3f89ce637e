import { TERMINAL_STATUSES } from '@delos/core';
import { sql } from 'kysely';
import { changeAttempt } from '../../db/flow/attempts.ts';
import { stopJob } from '../../db/jobs-state.ts';
import type { ApiDeps } from '../deps.ts';
import { endExecutor, tellExecutor } from './executor-row.ts';

/** A bake that cannot be carried out has failed, and its jobs end. */
export async function giveUp(
  deps: ApiDeps,
  {
    attempt,
    executor,
  }: { readonly attempt: { readonly id: string; readonly bake: string }; readonly executor: { readonly id: string } },
  why: string,
): Promise<void> {
  await killJobs(deps, attempt.bake);
  await tellExecutor(deps, executor, [why], true);
  await deps.database.tx(async (tx) => {
    await changeAttempt(tx, attempt, { result: 'failed' });
    await endExecutor(tx, attempt.id, executor, 'failed', why);
  });
  deps.log.info({ bake: attempt.bake, why }, 'a bake was given up');
}

async function killJobs(deps: ApiDeps, bake: string): Promise<void> {
  const jobs = await deps.database.db
    .selectFrom('jobs')
    .innerJoin('flow_tasks', 'flow_tasks.raw_id', 'jobs.id')
    .innerJoin('flow_attempts', 'flow_attempts.id', 'flow_tasks.attempt')
    .select('jobs.id')
    .where('flow_attempts.bake', '=', bake)
    .where('jobs.status', 'not in', [...TERMINAL_STATUSES])
    .where('flow_tasks.status', 'not in', [...TERMINAL_STATUSES, 'skipped', 'cached'])
    .execute();
  for (const { id } of jobs) await kill(deps, id, `bake ${bake} was given up`);
}

async function kill(deps: ApiDeps, id: string, description: string): Promise<void> {
  await deps.database.tx((tx) => stopJob(tx, id, { status: 'cancelled', reason: 'Killed', description }));
}

/** Ends jobs of bakes that were deleted while they ran. */
export async function endForsaken(deps: ApiDeps): Promise<void> {
  const { database } = deps;
  const { rows } = await sql<{ id: string; bake: string; org: string; project: string }>`
    select id, carries as bake, org, project from jobs where carries is not null and status = 'running'
      and not exists (select from flow_attempts a where a.executor_id = jobs.id)`.execute(database.db);
  for (const { id, bake, org, project } of rows) {
    const left = await database.db
      .selectFrom('jobs')
      .select('id')
      .where('org', '=', org)
      .where('project', '=', project)
      .where('phase', '<>', 'gone')
      .where('status', 'not in', [...TERMINAL_STATUSES])
      .where(sql<boolean>`tags @> array[${`bake_id:${bake}`}]::text[]`)
      .execute();
    for (const job of left) await kill(deps, job.id, `bake ${bake} was deleted`);
    await database.tx((tx) => endExecutor(tx, '', { id }, 'cancelled'));
  }
}
