import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { tryCommand } from '@delos/host';
import { NoDisk } from './image.ts';

/** What Pods get of a disk: a folder in it, which is there only while the disk is mounted. */
export const dataOf = (mount: string): string => join(mount, 'data');

export function isMounted(mount: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .some((line) => line.split(' ')[4] === mount);
}

/** @throws NoDisk where the machine does not take it */
export async function mountImage(image: string, mount: string): Promise<void> {
  if (!isMounted(mount)) {
    mkdirSync(mount, { recursive: true, mode: 0o755 });
    const { code, stderr } = await tryCommand('mount', ['-o', 'loop,noatime,nodev,nosuid', image, mount]);
    if (code !== 0) {
      throw new NoDisk(`it cannot be mounted on the machine: ${stderr.trim().split('\n')[0]?.slice(0, 200) ?? code}`);
    }
  }
  const data = dataOf(mount);
  if (existsSync(data)) return;
  // It has its mode before it has its name: a folder that was made and not opened would stay closed for ever.
  const fresh = join(mount, 'data.new');
  mkdirSync(fresh, { recursive: true });
  // Whoever a job's user is may write. What is made in it belongs to that user.
  chmodSync(fresh, 0o777);
  renameSync(fresh, data);
}

/** False where something still has it. */
export async function unmountImage(mount: string): Promise<boolean> {
  if (isMounted(mount)) {
    await tryCommand('umount', [mount]);
    if (isMounted(mount)) return false;
  }
  try {
    rmdirSync(mount);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  return true;
}

/** Bytes that the files of a mounted disk take, in whole MiB. */
export function usedBytes(mount: string): number {
  const { blocks, bfree, bsize } = statfsSync(mount);
  return Math.round(((blocks - bfree) * bsize) / 2 ** 20) * 2 ** 20;
}
