import { chmodSync, chownSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { DelosError, FILE_STORAGE_USER } from '@delos/core';

/** Its group may do all, and what is made in it has its group. */
const MODE = 0o2770;

/**
 * Makes the folder of the file storage on this machine, which every node sees. One that has something in it is left as it is:
 * whose it is, and who may read it, is then not ours to say. An empty one may be what a killed run has made.
 * @throws DelosError ERR_PREFLIGHT where it cannot be a folder
 */
export function prepareStorageFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o755 });
    if (!statSync(path).isDirectory()) throw new Error('it is no folder');
    if (readdirSync(path).length > 0) return;
    chownSync(path, FILE_STORAGE_USER, FILE_STORAGE_USER);
    // After the owner, whose change takes the bit of the group away.
    chmodSync(path, MODE);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new DelosError('ERR_PREFLIGHT', `the folder of the file storage, ${path}, cannot be made: ${why}`, {
      hint: 'name another one in `storage.directory.path` of delos.yaml, on a disk that this machine may write to',
      cause,
    });
  }
}
