import { type TaskLineage, TERMINAL } from '@delos/core';
import { changed, type RecordChange, type TaskRecord } from '@delos/engine';
import { z } from 'zod';
import { putCacheEntry } from '../../db/flow/cache.ts';
import { addTask, putLineage, replaceTask, type ToldTask } from '../../db/flow/tasks.ts';
import type { Tx } from '../../db/schema.ts';

/** Which attempt of which bake. */
export interface AttemptOf {
  readonly id: string;
  readonly bake: string;
  readonly number: number;
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
  const kept = changes.flatMap(({ task, keep }) => {
    const jobId = after.get(task)?.jobId ?? null;
    return keep === undefined || jobId === null ? [] : [{ task, keep, jobId }];
  });
  const writes = await writesOf(
    tx,
    kept.map(({ jobId }) => jobId),
  );
  for (const { task, keep, jobId } of kept) {
    const record = after.get(task);
    const lineage = {
      key: keep.key,
      bake: attempt.bake,
      attempt: attempt.number,
      needs: keep.needs.map((need) => ({ task: need.task, job: need.jobId })),
      writes: [...(writes.get(jobId) ?? [])],
    };
    await putCacheEntry(tx, {
      flow: attempt.flow,
      batch: attempt.batch,
      taskId: task,
      key: keep.key,
      outputs: record?.outputs ?? {},
      state: record?.state ?? {},
      rawId: jobId,
      lineage,
    });
    await putLineage(tx, attempt, task, lineage);
  }
  for (const { task, status } of changes) {
    if (status !== 'cached') continue;
    const lineage = await lineageOf(tx, attempt, task, after.get(task)?.jobId ?? '');
    if (lineage !== undefined) await putLineage(tx, attempt, task, lineage);
  }
  return after;
}

/** Storage and disks that jobs could write: what they left behind is there. */
async function writesOf(tx: Tx, jobs: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  if (jobs.length === 0) return new Map();
  const rows = await tx
    .selectFrom('jobs')
    .select(['id', 'request'])
    .where('id', 'in', [...jobs])
    .execute();
  return new Map(rows.map(({ id, request }) => [id, writable(request)]));
}

const mounts = z
  .object({
    volumes: z.array(z.object({ src_storage_uri: z.string(), read_only: z.boolean().nullish() })).default([]),
    disk_volumes: z.array(z.object({ src_disk_uri: z.string(), read_only: z.boolean().nullish() })).default([]),
  })
  .catch({ volumes: [], disk_volumes: [] });

function writable(request: unknown): readonly string[] {
  const { volumes, disk_volumes: disks } = mounts.parse(request);
  const all = [
    ...volumes.map((volume) => ({ uri: volume.src_storage_uri, only: volume.read_only })),
    ...disks.map((disk) => ({ uri: disk.src_disk_uri, only: disk.read_only })),
  ];
  return all.filter(({ only }) => only !== true).map(({ uri }) => uri);
}

/** Of the entry that a cached result was taken from. */
async function lineageOf(
  tx: Tx,
  { flow, batch }: AttemptOf,
  task: string,
  job: string,
): Promise<TaskLineage | undefined> {
  const row = await tx
    .selectFrom('flow_cache_entries')
    .select('lineage')
    .where('flow', '=', flow)
    .where('batch', '=', batch)
    .where('task_id', '=', task)
    .where('raw_id', '=', job)
    .orderBy('created_at', 'desc')
    .limit(1)
    .executeTakeFirst();
  return row?.lineage ?? undefined;
}

export const toldOf = ({ task, jobId, outputs, state, statuses }: TaskRecord): ToldTask => ({
  yamlId: task,
  rawId: jobId,
  outputs,
  state,
  statuses: statuses.map(({ status, at }) => ({ created_at: new Date(at).toISOString(), status })),
});

/** Nothing more becomes of a task. */
export const isEnd = ({ statuses }: TaskRecord): boolean => {
  const last = statuses.at(-1)?.status;
  return last === 'skipped' || last === 'cached' || (last !== undefined && TERMINAL.has(last));
};
