import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DelosError, type InstancePaths } from '@delos/core';
import { tryReadJson, writeJson } from '@delos/host';
import { z } from 'zod';

/**
 * How far an upgrade got.
 * `stopping`: the former version is there, perhaps without Pods; nothing else is changed.
 * `changing`: the restore point is whole.
 * `going-back`: a gate failed, or that was asked for.
 * `done`: all gates were passed; the restore point is kept.
 */
const upgradeRecord = z.object({
  from: z.string(),
  to: z.string(),
  phase: z.enum(['stopping', 'changing', 'going-back', 'done']),
  /** The restore point is whole. */
  saved: z.boolean(),
  /** Services whose volumes are in the restore point. */
  services: z.array(z.string()),
  /** Claims of volumes that were there before. */
  claims: z.array(z.string()),
  /** When the platform was stopped. */
  since: z.iso.datetime(),
  /** Why it goes back. */
  reason: z.string().optional(),
});
export type UpgradeRecord = z.infer<typeof upgradeRecord>;

/** Folder of the restore point. */
const folderOf = (paths: InstancePaths): string => join(paths.state, 'upgrade');
const recordOf = (paths: InstancePaths): string => join(folderOf(paths), 'record.json');

/** Files of a restore point. */
export const restorePoint = (paths: InstancePaths) => {
  const folder = folderOf(paths);
  return {
    folder,
    /** Opens the others. For the instance's owner alone, as the passphrase of the stack is. */
    key: join(folder, 'key'),
    /** Volumes and secrets, in the form of `delos backup`. */
    backup: join(folder, 'restore-point.backup'),
    /** What was deployed. */
    former: join(folder, 'former.age'),
  };
};

/** The upgrade that was begun here and is not confirmed; undefined where there is none. */
export const upgradeOf = (paths: InstancePaths): UpgradeRecord | undefined =>
  tryReadJson(recordOf(paths), upgradeRecord);

export const keepUpgrade = (paths: InstancePaths, record: UpgradeRecord): void => writeJson(recordOf(paths), record);

/** Removes the restore point: the record first, so that a kill leaves files that nothing means. */
export function forgetUpgrade(paths: InstancePaths): void {
  rmSync(recordOf(paths), { force: true });
  rmSync(folderOf(paths), { recursive: true, force: true });
}

/** What commands leave for each other in the instance's state, and an upgrade writes anew. */
const NOTES = ['platform.json', 'config.json', 'config-file.json'];

/** Begins a restore point: an empty folder with the notes of the former version. */
export function beginRestorePoint(paths: InstancePaths): void {
  const folder = folderOf(paths);
  forgetUpgrade(paths);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of NOTES) {
    if (existsSync(join(paths.state, name))) cpSync(join(paths.state, name), join(folder, name));
  }
}

/** Puts the notes back as they were. */
export function restoreNotes(paths: InstancePaths): void {
  for (const name of NOTES) {
    const kept = join(folderOf(paths), name);
    if (existsSync(kept)) cpSync(kept, join(paths.state, name));
    else rmSync(join(paths.state, name), { force: true });
  }
}

/** Other commands would deploy over it. @throws DelosError ERR_CONFLICT */
export function refuseHalfUpgraded(paths: InstancePaths): void {
  const record = upgradeOf(paths);
  if (record === undefined || record.phase === 'done') return;
  throw new DelosError('ERR_CONFLICT', `an upgrade from ${record.from} to ${record.to} was interrupted`, {
    hint: '`delos upgrade --offline` goes on, `delos upgrade --rollback` goes back',
  });
}
