import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError, type InstancePaths } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';
import { refuseHalfBack } from '../restore-time/record.ts';

/** How far a restore got. `volumes`: they are being written. `services`: all that is left is an `up`. */
const restoreRecord = z.object({ id: z.uuid(), file: z.string(), phase: z.enum(['volumes', 'services']) });
export type RestoreRecord = z.infer<typeof restoreRecord>;

const pathOf = (paths: InstancePaths): string => join(paths.state, 'restore.json');

/** The restore that was begun here and not ended; undefined where there is none. */
export const restoreOf = (paths: InstancePaths): RestoreRecord | undefined => tryReadJson(pathOf(paths), restoreRecord);

export const keepRestore = (paths: InstancePaths, record: RestoreRecord): void => writeJson(pathOf(paths), record);

export const endRestore = (paths: InstancePaths): void => rmSync(pathOf(paths), { force: true });

/** Services must not start on volumes that are half written. @throws DelosError ERR_CONFLICT */
export function refuseHalfRestored(paths: InstancePaths): void {
  refuseHalfBack(paths);
  const record = restoreOf(paths);
  if (record?.phase !== 'volumes') return;
  throw new DelosError('ERR_CONFLICT', `a restore of ${record.file} was interrupted`, {
    hint: '`delos restore` with the same file goes on; `delos down --delete-data` gives it up',
  });
}
