import { type BakeRestart, type CarriedBake, DelosError, isFlowEnd } from '@delos/core';
import { carriedOver } from '@delos/engine';
import { addAttempt } from '../../db/flow/attempts.ts';
import { holdBake } from '../../db/flow/bakes.ts';
import { addTask, putLineage } from '../../db/flow/tasks.ts';
import type { Tx } from '../../db/schema.ts';
import type { ApiDeps } from '../deps.ts';
import type { Submitter } from '../resources/jobs/submit.ts';
import { executorRequest, handOverIn } from './hand-over.ts';
import { readTasks, recordOf } from './load.ts';
import { refuseLocal } from './submit.ts';
import { toldOf } from './write-turn.ts';

/**
 * Makes another attempt of a bake, and hands it to the platform's engine.
 * @param id of a bake that the caller may write
 * @throws DelosError ERR_CONFLICT where it has not ended, ERR_NOT_FOUND where it has no such task
 */
export async function restartBake(
  deps: ApiDeps,
  id: string,
  { from, task, minutes }: BakeRestart & { readonly minutes: number },
  by: Submitter,
): Promise<CarriedBake> {
  const made = await deps.database.tx(async (tx): Promise<CarriedBake> => {
    await holdBake(tx, id);
    const { bake, last } = await lastOf(tx, id);
    const user = by.caller.user;
    const { read } = await readTasks(tx, { bake, configs: last.configs_meta, user });
    if ('why' in read) throw new DelosError('ERR_CONFLICT', `bake ${id} cannot be carried out: ${read.why}`);
    const { tasks } = read;
    const rows = await tx.selectFrom('flow_tasks').selectAll().where('attempt', '=', last.id).orderBy('seq').execute();
    if (from === 'task' && !tasks.some((each) => each.id === task)) {
      throw new DelosError('ERR_NOT_FOUND', `bake ${id} has no task ${JSON.stringify(task)}`, {
        hint: `delos flow inspect ${id} lists them`,
      });
    }
    const kept = carriedOver(tasks, rows.map(recordOf), from === 'task' ? { from, task: task ?? '' } : { from });
    const stays = new Set(kept.map((record) => record.task));
    refuseLocal(tasks.filter((each) => !stays.has(each.id)));
    const number = last.number + 1;
    const attempt = await addAttempt(tx, {
      bake: id,
      number,
      result: 'pending',
      executorId: null,
      configsMeta: last.configs_meta,
    });
    const lineages = new Map(rows.map(({ yaml_id: of, lineage }) => [of, lineage]));
    for (const record of kept) {
      await addTask(tx, attempt, toldOf(record));
      const lineage = lineages.get(record.task) ?? null;
      if (lineage !== null) await putLineage(tx, attempt, record.task, lineage);
    }
    const request = executorRequest({ flow: bake.flow_name, batch: bake.batch, bake: id, minutes });
    const job = await handOverIn(tx, deps, { request, bake: id, place: bake, by });
    return { id, number, job: job.id, carried_over: [...stays] };
  });
  deps.log.info({ bake: id, attempt: made.number, from, user: by.caller.user }, 'a bake was restarted');
  return made;
}

/** @throws DelosError ERR_CONFLICT where the last attempt has not ended */
async function lastOf(tx: Tx, id: string) {
  const bake = await tx
    .selectFrom('flow_bakes')
    .innerJoin('flow_projects', 'flow_projects.id', 'flow_bakes.flow')
    .selectAll('flow_bakes')
    .select(['flow_projects.org', 'flow_projects.project', 'flow_projects.cluster', 'flow_projects.name as flow_name'])
    .where('flow_bakes.id', '=', id)
    .executeTakeFirst();
  const last = await tx
    .selectFrom('flow_attempts')
    .selectAll()
    .where('bake', '=', id)
    .orderBy('number', 'desc')
    .limit(1)
    .executeTakeFirst();
  if (bake === undefined || last === undefined) {
    throw new DelosError('ERR_CONFLICT', `bake ${id} has no attempt yet: there is nothing to begin again`);
  }
  if (!isFlowEnd(last.result) || (last.engine && last.settled_at === null)) {
    throw new DelosError('ERR_CONFLICT', `attempt ${last.number} of bake ${id} has not ended`, {
      hint: `wait for it, or end it: delos flow cancel ${id}`,
    });
  }
  return { bake, last };
}
