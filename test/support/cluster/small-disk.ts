import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface SmallDisk {
  readonly folder: string;
  /** Takes it away with all that is on it. */
  remove(): void;
}

/** A file system of its own, in a file that holds only what is written to it. */
export function smallDisk(size: { readonly gib: number; readonly inodes: number }): SmallDisk {
  const home = mkdtempSync(join(tmpdir(), 'delos-disk-'));
  const [file, folder] = [join(home, 'disk.img'), join(home, 'mounted')];
  const run = (command: string, ...args: readonly string[]) => execFileSync(command, args, { stdio: 'pipe' });
  run('mkdir', folder);
  run('truncate', '-s', `${size.gib}G`, file);
  run('mkfs.ext4', '-q', '-m', '0', '-N', String(size.inodes), file);
  run('mount', '-o', 'loop', file, folder);
  return {
    folder,
    remove(): void {
      run('umount', folder);
      rmSync(home, { recursive: true });
    },
  };
}
