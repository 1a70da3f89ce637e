import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { imageSize, makeImage, NoDisk } from '../../../cluster/src/disks/image.ts';
import { loopsOf, releaseLoops } from '../../../cluster/src/disks/loops.ts';
import { dataOf, isMounted, mountImage, unmountImage, usedBytes } from '../../../cluster/src/disks/mount.ts';

/* One disk: a real file with a real file system on a real loop device of this machine. */

const MIB = 2 ** 20;
let home: string;
let images: string;
let image: string;
let mount: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'delos-disks-'));
  images = join(home, 'images');
  image = join(images, 'a.img');
  mount = join(home, 'mounts', 'a');
  mkdirSync(images);
});
afterEach(async () => {
  await unmountImage(mount);
  await releaseLoops(images);
  rmSync(home, { recursive: true });
});

describe('the file of a disk', () => {
  test.each([1, 7, 16, 64, 100, 127, 128, 500, 1024, 5000])(
    'of %i MiB holds at least that, and little more; all of it is reserved',
    async (mib) => {
      const storage = mib * MIB;
      await makeImage(image, storage);
      await mountImage(image, mount);
      const { bavail, bsize } = statfsSync(dataOf(mount));
      expect(bavail * bsize).toBeGreaterThanOrEqual(storage);
      expect(bavail * bsize).toBeLessThanOrEqual(storage * 1.01 + 6 * MIB);
      const { size, blocks } = statSync(image);
      expect(size).toBe(imageSize(storage));
      expect(blocks * 512).toBeGreaterThanOrEqual(size);
    },
  );

  test('is full at its size, and not before', async () => {
    await makeImage(image, 20 * MIB);
    await mountImage(image, mount);
    const file = join(dataOf(mount), 'file');
    writeFileSync(file, Buffer.alloc(20 * MIB - 4096));
    expect(usedBytes(mount)).toBeGreaterThanOrEqual(20 * MIB);
    expect(() => writeFileSync(`${file}2`, Buffer.alloc(7 * MIB))).toThrow(/ENOSPC/);
    // What is over is refused by the disk, and costs the machine nothing.
    expect(statSync(image).blocks * 512).toBeLessThan(imageSize(20 * MIB) + MIB);
  });

  test('is not made where the machine has no room for it, and nothing is left of it', async () => {
    const { bavail, bsize } = statfsSync(images);
    const made = makeImage(image, 64 * MIB, bavail * bsize - 10 * MIB);
    await expect(made).rejects.toThrow(NoDisk);
    await expect(made).rejects.toThrow(
      /^the machine has [\d.]+ GiB of free disk, of which [\d.]+ GiB are kept for the platform: 0\.1 GiB have no room$/,
    );
    expect(readdirSync(images)).toEqual([]);
  });

  test('is made again from nothing where its making was cut off, and kept where it was not', async () => {
    writeFileSync(`${image}.part`, 'half of it');
    await makeImage(image, MIB);
    const { ino } = statSync(image);
    await makeImage(image, 99 * MIB);
    expect([statSync(image).ino, statSync(image).size, readdirSync(images)]).toEqual([ino, imageSize(MIB), ['a.img']]);
  });

  test('keeps what is on it when it is mounted again, and may be written to by any user', async () => {
    await makeImage(image, MIB);
    await mountImage(image, mount);
    const script = `echo kept > ${dataOf(mount)}/file`;
    execFileSync('chmod', ['755', home, join(home, 'mounts')]);
    execFileSync('setpriv', ['--reuid', '54321', '--regid', '54321', '--clear-groups', 'sh', '-c', script]);
    expect(await unmountImage(mount)).toBe(true);
    await mountImage(image, mount);
    await mountImage(image, mount);
    expect(execFileSync('cat', [join(dataOf(mount), 'file')], { encoding: 'utf8' })).toBe('kept\n');
  });

  test('has no device and no program with another’s rights', async () => {
    await makeImage(image, MIB);
    await mountImage(image, mount);
    const options = execFileSync('findmnt', ['-no', 'OPTIONS', mount], { encoding: 'utf8' });
    expect(options.trim().split(',')).toEqual(expect.arrayContaining(['nodev', 'nosuid']));
  });
});

describe('the loop device of a disk', () => {
  test('is found by its folder, and gone after the last mount', async () => {
    await makeImage(image, MIB);
    expect(loopsOf(images)).toEqual([]);
    await mountImage(image, mount);
    expect(loopsOf(images)).toEqual([expect.stringMatching(/^\/dev\/loop\d+$/)]);
    expect(await unmountImage(mount)).toBe(true);
    expect([loopsOf(images), isMounted(mount)]).toEqual([[], false]);
  });

  test('that nobody has mounted is released', async () => {
    await makeImage(image, MIB);
    execFileSync('losetup', ['--find', image]);
    expect(loopsOf(images)).toHaveLength(1);
    await releaseLoops(images);
    expect(loopsOf(images)).toEqual([]);
  });

  test('is not taken away while something is open on it', async () => {
    await makeImage(image, MIB);
    await mountImage(image, mount);
    const script = `exec 3> ${dataOf(mount)}/open; umount ${mount} 2>&1 || true`;
    expect(execFileSync('sh', ['-c', script], { encoding: 'utf8' })).toMatch(/busy/);
    expect(isMounted(mount)).toBe(true);
  });
});
