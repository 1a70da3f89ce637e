import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError, type InstancePaths } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';

/**
 * How far going back to a time got.
 * `stopping`: services go, or are gone; nothing else is changed.
 * `recovering`: the same, and a history of the archive is closed.
 * `taken`: the database is recovered, and takes the place of the one that was there.
 * `starting`: it has done so; what is left is to start.
 * `giving-up`: it failed; the database is as it was, and services start again.
 */
const timeRecord = z.object({
  time: z.string(),
  set: z.string(),
  base: z.string(),
  bytes: z.number(),
  phase: z.enum(['stopping', 'recovering', 'taken', 'starting', 'giving-up']),
  /** How many Pods each workload had. */
  scales: z.array(z.object({ kind: z.enum(['Deployment', 'StatefulSet']), name: z.string(), replicas: z.number() })),
  /** Why it failed. */
  reason: z.string().optional(),
});
export type TimeRecord = z.infer<typeof timeRecord>;
export type Scale = TimeRecord['scales'][number];

const pathOf = (paths: InstancePaths): string => join(paths.state, 'restore-time.json');

/** What was begun here and not ended; undefined where there is none. */
export const timeRecordOf = (paths: InstancePaths): TimeRecord | undefined => tryReadJson(pathOf(paths), timeRecord);

export const keepTimeRecord = (paths: InstancePaths, record: TimeRecord): void => writeJson(pathOf(paths), record);

export const endTimeRecord = (paths: InstancePaths): void => rmSync(pathOf(paths), { force: true });

/** Services must not start on a database that is just exchanged. @throws DelosError ERR_CONFLICT */
export function refuseHalfBack(paths: InstancePaths): void {
  const record = timeRecordOf(paths);
  if (record === undefined) return;
  throw new DelosError('ERR_CONFLICT', `going back to ${record.time} was interrupted`, {
    hint: `\`delos restore --to-time ${record.time} --yes\` goes on`,
  });
}
