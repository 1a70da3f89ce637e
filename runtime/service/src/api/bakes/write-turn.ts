import { changed, type RecordChange, type TaskRecord } from '@delos/engine';
import { putCacheEntry } from '../../db/flow/cache.ts';
import { addTask, replaceTask, type ToldTask } from '../../db/flow/tasks.ts';
import type { Tx } from '../../db/schema.ts';

/** Which attempt of which bake. */
export interface AttemptOf {
  readonly id: string;
  readonly bake: string;
  readonly flow: string;
  readonly batch: string;
}

/** Writes changes of tasks, and what is kept in the cache. @returns the records that are others now */
export async function writeChanges(
  tx: Tx,
  attempt: AttemptOf,
  records: ReadonlyMap<string, TaskRecord>,
  changes: readonly RecordChange[],
): Promise<ReadonlyMap<string, TaskRecord>> {
  const after = new Map<string, TaskRecord>();
  for (const change of changes) {
    const before = after.get(change.task) ?? records.get(change.task);
    after.set(change.task, changed(before, change));
  }
  for (const [task, record] of after) {
    const write = records.has(task) ? replaceTask : addTask;
    await write(tx, attempt, toldOf(record));
  }
  for (const { task, keep } of changes) {
    const record = after.get(task);
    if (keep === undefined || record?.jobId == null) continue;
    await putCacheEntry(tx, {
      flow: attempt.flow,
      batch: attempt.batch,
      taskId: task,
      key: keep.key,
      outputs: record.outputs ?? {},
      state: record.state ?? {},
      rawId: record.jobId,
    });
  }
  return after;
}

const toldOf = ({ task, jobId, outputs, state, statuses }: TaskRecord): ToldTask => ({
  yamlId: task,
  rawId: jobId,
  outputs,
  state,
  statuses: statuses.map(({ status, at }) => ({ created_at: new Date(at).toISOString(), status })),
});
