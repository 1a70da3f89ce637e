import { statfsSync } from 'node:fs';
import { type Check, check } from './check.ts';
import { nearest } from './machine.ts';

/**
 * File systems that the kernel's overlay does not write to, by their number in statfs(2). containerd unpacks images and
 * starts containers on an overlay whose upper layer lies in the instance's state.
 * @see https://docs.kernel.org/filesystems/overlayfs.html#upper-and-lower
 */
const UNFIT: Readonly<Record<number, string>> = {
  2035054128: 'overlay (the root of a container, most often)',
  26985: 'NFS',
  1702057286: 'FUSE',
  16914839: '9p',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  19780: 'FAT',
  538032816: 'exFAT',
  1635083891: 'aufs',
  61791: 'eCryptfs',
  1936814952: 'squashfs, which cannot be written to',
};

/** @param type of statfs(2) */
export function fileSystemCheck(path: string, type: number): Check {
  // Numbers above 2^31 come as negative ones from some kernels' 32-bit fields.
  const unfit = UNFIT[type < 0 ? type + 2 ** 32 : type];
  return check('disk.overlay', unfit === undefined, {
    measured: unfit === undefined ? `${path} can hold containers` : `${path} lies on ${unfit}`,
    needed:
      'a file system that the kernel’s overlay can write to, such as ext4 or xfs: containers could not start otherwise',
    fix: 'put it on a disk of the machine: XDG_STATE_HOME=/disk (in a container: a volume)',
  });
}

export const stateFileSystemCheck = (path: string): Check => fileSystemCheck(path, statfsSync(nearest(path)).type);
