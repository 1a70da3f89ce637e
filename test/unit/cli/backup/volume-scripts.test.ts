import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SAVED_FILES } from '@delos/constructs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { UNREADABLE } from '../../../../cli/src/commands/backup/files-part.ts';
import {
  commitFilesScript,
  commitScript,
  unpackFilesScript,
  unpackScript,
} from '../../../../cli/src/commands/backup/volume-scripts.ts';

/* The scripts as a service's user runs them, with the machine's own tar, on a folder that belongs to root. */

const USER = 60610;
const python = (code: string): string => execFileSync('python3', ['-c', code]).toString().trim();

let root: string;
let volume: string;
let tar: Buffer;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'delos-volume-'));
  chmodSync(root, 0o755);
  volume = join(root, 'volume');
  mkdirSync(volume);
  chmodSync(volume, 0o777);
  const source = join(root, 'source');
  mkdirSync(join(source, 'folder'), { recursive: true });
  chmodSync(source, 0o700);
  const file = join(source, 'folder', 'a');
  writeFileSync(file, 'content');
  python(`import os; os.setxattr(${JSON.stringify(file)}, 'user.etag', b'1')`);
  tar = execFileSync('tar', ['--create', '--xattrs', '--xattrs-include=user.*', `--directory=${source}`, './folder']);
});
afterEach(() => rmSync(root, { recursive: true }));

const asService = (script: string, folder: string, input: Buffer | string = ''): void => {
  const user = ['--reuid', String(USER), '--regid', String(USER), '--clear-groups'];
  execFileSync('setpriv', [...user, '/bin/sh', '-c', script, 'restore', folder], { input });
};

describe.each(['.', 'data'])('a restore into %s', (folder) => {
  const restored = (): string => join(volume, folder);

  test('has files with their attributes, and nothing of an earlier try', () => {
    if (folder === '.') mkdirSync(join(volume, 'lost+found'));
    for (const left of ['data', 'data.restoring']) {
      mkdirSync(join(volume, left));
      python(`import os; os.chown(${JSON.stringify(join(volume, left))}, ${USER}, ${USER})`);
    }
    asService(unpackScript(volume), folder, tar);
    asService(commitScript(volume), folder);
    expect(readFileSync(join(restored(), 'folder/a'), 'utf8')).toBe('content');
    expect(python(`import os; print(os.getxattr(${JSON.stringify(join(restored(), 'folder/a'))}, 'user.etag'))`)).toBe(
      "b'1'",
    );
    expect(readdirSync(volume).sort()).toEqual(folder === '.' ? ['folder', 'lost+found'] : ['data']);
  });

  test('fails for a tar that is cut off; a folder of its own is not there then', () => {
    expect(() => asService(unpackScript(volume), folder, tar.subarray(0, 700))).toThrow();
    if (folder !== '.') expect(existsSync(restored())).toBe(false);
  });
});

/** https://man7.org/linux/man-pages/man5/acl.5.html */
const DEFAULT_ACCESS = 'system.posix_acl_default';

describe('a restore of files of projects', () => {
  const project = (): string => join(volume, 'acme/one');
  beforeEach(() => {
    const source = join(root, 'files');
    mkdirSync(join(source, 'acme/one'), { recursive: true });
    python(`import os, struct
entries = b''.join(struct.pack('<HHI', tag, right, 0xffffffff) for tag, right in ((1, 7), (4, 7), (0x20, 5)))
os.setxattr(${JSON.stringify(join(source, 'acme/one'))}, '${DEFAULT_ACCESS}', struct.pack('<I', 2) + entries)`);
    writeFileSync(join(source, 'acme/one/script'), 'content');
    chmodSync(join(source, 'acme/one/script'), 0o775);
    tar = execFileSync('tar', ['--create', '--sparse', '--acls', `--directory=${source}`, 'acme']);
  });
  const unpack = (input: Buffer): void => asService(unpackFilesScript(volume), '.', input);

  test('has files with their modes and lists of access, and leaves what the service has of its own', () => {
    mkdirSync(join(volume, '.delos'));
    unpack(tar);
    asService(commitFilesScript(volume), '.');
    expect(python(`import os; print('${DEFAULT_ACCESS}' in os.listxattr(${JSON.stringify(project())}))`)).toBe('True');
    expect(execFileSync('stat', ['--format=%a', join(project(), 'script')]).toString()).toBe('775\n');
    expect(readdirSync(volume).sort()).toEqual(['.delos', 'acme']);
  });

  test('brings back what the service saves while it serves: all but what a job keeps to itself, which is told', () => {
    const served = join(root, 'served');
    for (const folder of ['acme/one/private', '.delos/uploads']) mkdirSync(join(served, folder), { recursive: true });
    for (const folder of ['', 'acme', 'acme/one']) chmodSync(join(served, folder), 0o755);
    chmodSync(join(served, 'acme/one/private'), 0o700);
    writeFileSync(join(served, 'acme/one/own'), 'of a job', { mode: 0o600 });
    writeFileSync(join(served, 'acme/one/größe 1'), 'for all');
    execFileSync('truncate', ['--size=100M', join(served, 'acme/one/holes')]);
    writeFileSync(join(served, '.delos/uploads/half'), 'half');
    const [shell = '', flag = '', script = ''] = SAVED_FILES.save;
    const { status, stdout, stderr } = spawnSync(
      'setpriv',
      ['--reuid', String(USER), '--regid', String(USER), '--clear-groups', shell, flag].concat([
        script.replace('cd /files', `cd ${served}`),
      ]),
      { maxBuffer: 2 ** 24 },
    );
    expect([status, stdout.length < 2 ** 20]).toEqual([0, true]);
    const told = stderr.toString().trim().split('\n');
    expect(
      told.filter((line) => UNREADABLE.test(line)),
      stderr.toString(),
    ).toHaveLength(2);
    unpack(stdout);
    asService(commitFilesScript(volume), '.');
    expect(readdirSync(project()).sort()).toEqual(['größe 1', 'holes']);
    expect(readFileSync(join(project(), 'größe 1'), 'utf8')).toBe('for all');
    expect(statSync(join(project(), 'holes'))).toMatchObject({ size: 100 * 2 ** 20, blocks: 0 });
  });

  test('is refused where there are files already, and none of them is touched', () => {
    mkdirSync(join(volume, 'other'));
    expect(() => unpack(tar)).toThrow('the file storage has files already');
    expect(readdirSync(volume)).toEqual(['other']);
  });

  test('goes on where it was interrupted', () => {
    expect(() => unpack(tar.subarray(0, 700))).toThrow();
    unpack(tar);
    asService(commitFilesScript(volume), '.');
    expect([readdirSync(volume), readFileSync(join(project(), 'script'), 'utf8')]).toEqual([['acme'], 'content']);
  });
});
