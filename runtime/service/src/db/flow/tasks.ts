import { randomUUID } from 'node:crypto';
import { DelosError, type TaskLineage } from '@delos/core';
import type { Tx } from '../schema.ts';
import { growBake, holdBake, isUnique } from './bakes.ts';
import { MOST_TASKS } from './limits.ts';
import type { FlowAttemptRow, FlowTaskRow, TaskStatusItem, Texts } from './tables.ts';

/** What is told of a task. */
export interface ToldTask {
  /** Full id: `a.b.c`. */
  readonly yamlId: string;
  /** Its job. */
  readonly rawId: string | null;
  readonly outputs: Texts | null;
  readonly state: Texts | null;
  /** At least one; the oldest first. */
  readonly statuses: readonly TaskStatusItem[];
}

type OfAttempt = Pick<FlowAttemptRow, 'id' | 'bake'>;

/** @throws DelosError ERR_CONFLICT where the attempt has one of its id, ERR_QUOTA_EXCEEDED */
export async function addTask(tx: Tx, { id: attempt, bake }: OfAttempt, task: ToldTask): Promise<FlowTaskRow> {
  await holdBake(tx, bake);
  const row = await tx
    .insertInto('flow_tasks')
    .values({ id: `task-${randomUUID()}`, attempt, yaml_id: task.yamlId, ...columns(task) })
    .returningAll()
    .executeTakeFirstOrThrow()
    .catch((error: unknown) => {
      if (!isUnique(error, 'flow_tasks_name')) throw error;
      throw new DelosError('ERR_CONFLICT', `attempt ${attempt} has a task ${JSON.stringify(task.yamlId)} already`);
    });
  const counted = await tx
    .updateTable('flow_attempts')
    .set((eb) => ({ tasks: eb('tasks', '+', 1) }))
    .where('id', '=', attempt)
    .where('tasks', '<', MOST_TASKS)
    .returning('id')
    .executeTakeFirst();
  if (counted === undefined) {
    throw new DelosError('ERR_QUOTA_EXCEEDED', `attempt ${attempt} has ${MOST_TASKS} tasks, the most`);
  }
  await growBake(tx, bake, sizeOf(task));
  return row;
}

/** @throws DelosError ERR_NOT_FOUND where there is none of its id, ERR_QUOTA_EXCEEDED */
export async function replaceTask(tx: Tx, { id: attempt, bake }: OfAttempt, task: ToldTask): Promise<FlowTaskRow> {
  await holdBake(tx, bake);
  const found = await tx
    .selectFrom('flow_tasks')
    .selectAll()
    .where('attempt', '=', attempt)
    .where('yaml_id', '=', task.yamlId)
    .executeTakeFirst();
  if (found === undefined) {
    throw new DelosError('ERR_NOT_FOUND', `attempt ${attempt} has no task ${JSON.stringify(task.yamlId)}`);
  }
  const row = await tx
    .updateTable('flow_tasks')
    .set(columns(task))
    .where('id', '=', found.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  await growBake(tx, bake, sizeOf(task) - sizeOf(found));
  return row;
}

/** Says where the result of a task comes from. It counts against what one bake may have. */
export async function putLineage(
  tx: Tx,
  { id: attempt, bake }: OfAttempt,
  task: string,
  lineage: TaskLineage,
): Promise<void> {
  const text = JSON.stringify(lineage);
  await tx
    .updateTable('flow_tasks')
    .set({ lineage: text })
    .where('attempt', '=', attempt)
    .where('yaml_id', '=', task)
    .execute();
  await growBake(tx, bake, Buffer.byteLength(text));
}

const json = (texts: Texts | null): string | null => (texts === null ? null : JSON.stringify(texts));

const columns = ({ rawId, outputs, state, statuses }: ToldTask) => ({
  raw_id: rawId,
  outputs: json(outputs),
  state: json(state),
  statuses: JSON.stringify(statuses),
});

const sizeOf = ({ outputs, state }: Pick<ToldTask, 'outputs' | 'state'>): number =>
  Buffer.byteLength(`${json(outputs) ?? ''}${json(state) ?? ''}`);
