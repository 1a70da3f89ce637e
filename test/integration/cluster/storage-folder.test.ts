import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FILE_STORAGE_USER } from '@delos/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { prepareStorageFolder } from '../../../cluster/src/embedded/storage-folder.ts';

/* The folder of the file storage on the machine of embedded nodes. */

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'storage-folder-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const formOf = (path: string) => {
  const { uid, gid, mode } = statSync(path);
  return [uid, gid, (mode & 0o7777).toString(8)];
};
const OURS = [FILE_STORAGE_USER, FILE_STORAGE_USER, '2770'];

test('is made with its owner and a group that files in it inherit', () => {
  prepareStorageFolder(join(home, 'deep/er'));
  expect(formOf(join(home, 'deep/er'))).toEqual(OURS);
});

test('is completed where a killed run has only made it', () => {
  mkdirSync(join(home, 'half'));
  prepareStorageFolder(join(home, 'half'));
  expect(formOf(join(home, 'half'))).toEqual(OURS);
});

test('is left as it is once something is in it', () => {
  const path = join(home, 'theirs');
  mkdirSync(path);
  chmodSync(path, 0o755);
  writeFileSync(join(path, 'a'), '');
  prepareStorageFolder(path);
  expect(formOf(path)).toEqual([0, 0, '755']);
});

test('is refused where it cannot be one, with what to do', () => {
  writeFileSync(join(home, 'file'), '');
  expect(() => prepareStorageFolder(join(home, 'file'))).toThrow(
    /the folder of the file storage, .*file, cannot be made/,
  );
  expect(() => prepareStorageFolder(join(home, 'file/below'))).toThrow(/cannot be made: .*ENOTDIR/);
  symlinkSync('/nowhere/at/all', join(home, 'link'));
  expect(() => prepareStorageFolder(join(home, 'link'))).toThrow(/cannot be made/);
});
