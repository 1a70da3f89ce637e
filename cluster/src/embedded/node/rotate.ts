import { copyFileSync, statSync, truncateSync } from 'node:fs';

const LOG_LIMIT = 8 << 20;

/** Keeps the last file beside the running one. The writers append, so that truncating is safe. */
export function rotate(path: string): void {
  try {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) < LOG_LIMIT) return;
    try {
      copyFileSync(path, `${path}.1`);
    } finally {
      truncateSync(path, 0);
    }
  } catch {
    // No space for the copy: the older half is lost, the disk is not filled further.
  }
}
