import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeArchive } from '../../../../cli/src/commands/support/archive.ts';
import { ALL_BYTES, boundedEntries, FILE_BYTES, type Outcome } from '../../../../cli/src/commands/support/bounds.ts';
import { Redactor } from '../../../../cli/src/commands/support/redact.ts';
import { temporaryFolder } from '../../../support/setup/temporary-folder.ts';

const folder = temporaryFolder('bundle');
const source = (path: string, text: string) => ({ path, read: async () => text });
const none = new Redactor([]);
const untar = (file: string, path: string): string =>
  execFileSync('tar', ['-xzOf', file, path], { maxBuffer: 2 * FILE_BYTES }).toString();

test('an archive has each file, and its owner alone may read it', async () => {
  const file = join(folder, 'all.tar.gz');
  const outcome: Outcome = { files: [], leftOut: [] };
  await writeArchive(file, boundedEntries([source('a/b.txt', 'one'), source('c.json', '{}')], none, outcome));
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect([untar(file, 'a/b.txt'), untar(file, 'c.json')]).toEqual(['one', '{}']);
  expect(outcome).toEqual({
    files: [
      { path: 'a/b.txt', bytes: 3, cut: false },
      { path: 'c.json', bytes: 2, cut: false },
    ],
    leftOut: [],
  });
});

test('what cannot be read is named with its reason, without secrets, and the rest comes', async () => {
  const file = join(folder, 'some.tar.gz');
  const outcome: Outcome = { files: [], leftOut: [] };
  const failing = {
    path: 'x',
    read: async () => {
      throw new Error('no answer from https://ann:hunter22@host');
    },
  };
  await writeArchive(file, boundedEntries([failing, source('y', 'there')], none, outcome));
  expect(untar(file, 'y')).toBe('there');
  expect(outcome.leftOut).toEqual([{ path: 'x', why: 'no answer from https://ann:[redacted]@host' }]);
});

test('a file keeps its end, from a whole line on; all files together have a bound', async () => {
  const file = join(folder, 'large.tar.gz');
  const outcome: Outcome = { files: [], leftOut: [] };
  const line = `${'x'.repeat(1023)}\n`;
  const log = `${line.repeat(FILE_BYTES / 1024 + 10)}the end\n`;
  const count = ALL_BYTES / FILE_BYTES + 2;
  const sources = Array.from({ length: count }, (_, nth) => source(`${nth}.log`, log));
  await writeArchive(file, boundedEntries(sources, none, outcome));
  const text = untar(file, '0.log');
  expect(text.startsWith('[what is older was left out]\nxxx')).toBe(true);
  expect(text.endsWith('the end\n')).toBe(true);
  expect(text.length).toBeLessThanOrEqual(FILE_BYTES + 100);
  expect(outcome.files.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(ALL_BYTES);
  expect(outcome.leftOut.map(({ path }) => path)).toEqual([`${count - 2}.log`, `${count - 1}.log`]);
});

test('an archive whose writing fails is not there, nor a part of it', async () => {
  const file = join(folder, 'none.tar.gz');
  async function* failing() {
    yield { path: 'a', text: 'one' };
    throw new Error('the cluster went away');
  }
  await expect(writeArchive(file, failing())).rejects.toThrow('the cluster went away');
  expect([existsSync(file), existsSync(`${file}.part`)]).toEqual([false, false]);
});
