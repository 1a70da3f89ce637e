import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { tryCommand } from '@delos/host';

/*
 * A disk is a file with a file system in it. All of the file is reserved when it is made, so that the sizes of all disks
 * together are never more than the machine has, and what one may hold is there when it is written.
 */

const MIB = 2 ** 20;
const GIB = 2 ** 30;
/** Of the machine's disk no disk takes this: it is for etcd, PostgreSQL, images and logs. */
export const RESERVE = 5 * GIB;
/** mkfs writes each group of blocks; a large disk has many. */
const MKFS_MS = 600_000;

/** Why no disk can be made; for people. */
export class NoDisk extends Error {}

/** Bytes of the journal: large ones have much in flight. */
const journalOf = (storage: number): number => (storage < 128 * MIB ? 4 : storage < 4 * GIB ? 16 : 64) * MIB;

/**
 * Bytes of the file, so that at least `storage` bytes can be written into it: ext4 takes its journal, inodes (one for each
 * 16 KiB) and bitmaps, and keeps back a part of two hundredths, at most 16 MiB.
 */
export function imageSize(storage: number): number {
  const kept = Math.min(0.02 * storage, 16 * MIB);
  const bytes = storage + journalOf(storage) + 0.018 * storage + kept + 1.5 * MIB;
  return Math.ceil(bytes / 4096) * 4096;
}

/**
 * Makes the file of a disk, whole or not at all.
 * @throws NoDisk where the machine has no room for it, or does not take it
 */
export async function makeImage(path: string, storage: number, reserve = RESERVE): Promise<void> {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const size = imageSize(storage);
  checkRoom(dirname(path), size, reserve);
  const part = `${path}.part`;
  rmSync(part, { force: true });
  try {
    await must('fallocate', ['--length', String(size), part]);
    const journal = ['-J', `size=${journalOf(storage) / MIB}`];
    // What is discarded would no longer be reserved.
    const features = ['-b', '4096', '-i', '16384', '-m', '0', '-O', '^resize_inode', '-E', 'nodiscard'];
    await must('mkfs.ext4', ['-q', '-F', ...features, ...journal, part]);
    await must('sync', [part]);
    renameSync(part, path);
    await must('sync', [dirname(path)]);
  } finally {
    rmSync(part, { force: true });
  }
}

function checkRoom(folder: string, size: number, reserve: number): void {
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free - size >= reserve) return;
  throw new NoDisk(
    `the machine has ${gib(free)} of free disk, of which ${gib(reserve)} are kept for the platform: ${gib(size)} have no room`,
  );
}

async function must(command: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await tryCommand(command, [...args], { timeout: MKFS_MS });
  if (code === 0) return;
  throw new NoDisk(`${command} failed on the machine: ${stderr.trim().split('\n').at(-1)?.slice(0, 200) ?? code}`);
}

function gib(bytes: number): string {
  return `${(bytes / GIB).toFixed(1)} GiB`;
}
